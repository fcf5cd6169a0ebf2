"""The composition root, as a server loads it: in a process of its own."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["makerlog.asgi", "makerlog.wsgi"])
@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("WEB_THREADS", "many", "makerlog does not start: WEB_THREADS holds 'many', which is not a whole number"),
        ("TRUSTED_PROXIES", "10.0.0.1/8", "makerlog does not start: TRUSTED_PROXIES holds '10.0.0.1/8', which is not"),
    ],
)
def test_a_bad_setting_is_one_sentence_and_no_traceback(module, name, value, sentence, tmp_path):
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "makerlog.settings", "DATA_DIR": str(tmp_path), name: value}
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}"], env=environment, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 3  # what gunicorn and uvicorn take for "failed to boot"
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1
