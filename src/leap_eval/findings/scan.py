"""stub"""
def scan(*a): return ()
