"""Short forms of English forenames, so that Liz and Elizabeth meet."""

from __future__ import annotations

_FORMS = """
alexander alex al sandy xander
alexandra alex alexa sandra lexi
amelia millie mia
andrew andy drew
anthony tony ant
benjamin ben benji
catherine kate katie cathy cath
charles charlie chas
charlotte lottie charlie
christopher chris kit
christina chris tina
daniel dan danny
david dave davey
dominic dom
edward ed eddie ned ted teddy
eleanor ellie nell nora
elizabeth liz lizzie beth eliza libby betty
emily em emmy millie
emma em
florence flo florrie
frances fran frankie
francis frank frankie
frederick fred freddie
gabriel gabe
gabriella gabby ella
george georgie
grace gracie
hannah hanny
harold harry
henry harry hal
isaac zac
isabella isa bella izzy
isabelle isa belle izzy
jacob jake
james jim jamie jimmy
jennifer jen jenny
jessica jess jessie
john jack johnny jon
jonathan jon jonny
joseph joe joey
joshua josh
katherine kate katie kathy kath
kimberley kim
leonard len lenny leo
lillian lily
louis lou louie
lucas luke
lucy lu
madeleine maddie
margaret maggie meg peggy
matilda tilly
matthew matt
maximilian max
megan meg
michael mike mick micky
mohammed mo mohamed muhammad muhammed mohammad
nathaniel nat nate nathan
nicholas nick nicky
nicola nicky
natalie nat
olivia liv livvy olive
oliver ollie
patricia pat trish
patrick pat paddy
peter pete
philip phil pip
phoebe fee
rebecca becky becca
richard rich rick dick
robert rob bob bobby robbie
rosemary rose rosie
samantha sam sammy
samuel sam sammy
sarah sally
sebastian seb
sophia sophie
sophie soph
stephen steve stevie
steven steve stevie
susan sue susie
theodore theo ted teddy
theresa tess terry
thomas tom tommy
timothy tim
victoria vicky tori
vincent vince
william will bill billy liam
zachary zac zach
"""
_FORMAL: dict[str, str] = {}
for _group in _FORMS.splitlines():
    for _short in _group.split():
        # A short form of several names stands for the first: both sides take the same way.
        _FORMAL.setdefault(_short, _group.split()[0])


def formal(name: str) -> str:
    """Return the full form that a short one stands for, or the name itself."""
    return _FORMAL.get(name, name)
