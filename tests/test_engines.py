import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

from leap_eval.errors import SettingsError
from leap_eval.store import engine

SPARK = find_spec("pyspark") is not None and shutil.which("java") is not None


@pytest.mark.skipif(not SPARK, reason="pyspark or Java is not installed")
def test_spark_gives_the_tables_of_one_partner_that_duckdb_gives(root):
    command = [sys.executable, str(root / "benchmarks/engines.py"), "--quick"]
    env = os.environ | {"LEAP_ROOT": str(root)}
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    found = json.loads(told.splitlines()[-1])
    assert found["tables"] == 4
    assert found["differ"] == []


def test_an_engine_that_is_not_installed_is_refused_with_its_remedy(monkeypatch):
    monkeypatch.setenv("LEAP_ENGINE", "spark")
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    engine.engine.cache_clear()
    with pytest.raises(SettingsError, match=r"engine is spark.*leap-eval\[spark\]"):
        engine.engine()
    engine.engine.cache_clear()
