"""The program starts itself again where no environment leads to it, as in the image."""

import subprocess

from agent import again


def test_it_is_found_though_nothing_leads_to_it(tmp_path) -> None:
    done = subprocess.run(again.words("drivers", "--json"), cwd=tmp_path, env={}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"nellcor_n560" in done.stdout


def test_a_word_of_its_own_is_the_verb() -> None:
    done = subprocess.run(again.words("enrol", "--help"), capture_output=True, text=True, check=False)
    assert "voucher" in done.stdout
