"""What is owed to the centre: a loss is settled when the word about it is held, and said again when that was lost."""

import pytest

from agent.owing import Owing
from agent.spool.terms import Cause, Lost
from wire.envelope import Header
from wire.topics import Class

EPOCH = 3


def lost(cls: Class, first: int, last: int, epoch: int = EPOCH) -> Lost:
    return Lost(int(cls), epoch, first, last, Cause.EVICTED)


WAVES = lost(Class.WAVE, 5, 9)
BEAT = [Header(EPOCH, Class.VITAL, 20, 0), Header(EPOCH, Class.WAVE, 30, 0)]


@pytest.fixture
def owing() -> Owing:
    made = Owing()
    assert made.due([WAVES]) == [WAVES]
    made.said(BEAT, [WAVES])
    return made


def test_what_was_said_is_not_due_and_is_settled_when_it_is_held(owing: Owing) -> None:
    assert owing.due([WAVES]) == []
    assert owing.held(Class.WAVE, EPOCH, [(0, 99)]) == []
    assert owing.held(Class.VITAL, EPOCH - 1, [(0, 99)]) == []
    assert owing.held(Class.VITAL, EPOCH, [(0, 20)]) == [WAVES]
    assert owing.held(Class.VITAL, EPOCH, [(0, 20)]) == []


def test_only_what_is_new_of_a_growing_loss_is_due(owing: Owing) -> None:
    assert owing.due([lost(Class.WAVE, 5, 12)]) == [lost(Class.WAVE, 10, 12)]


def test_a_word_that_is_lost_itself_is_said_again(owing: Owing) -> None:
    itself = lost(Class.VITAL, 18, 22)
    assert owing.due([WAVES, lost(Class.VITAL, 18, 22, EPOCH - 1)]) == [lost(Class.VITAL, 18, 22, EPOCH - 1)]
    assert owing.due([WAVES, itself]) == [WAVES, itself]
    assert owing.held(Class.VITAL, EPOCH, [(0, 99)]) == []


def test_a_word_in_two_envelopes_is_held_when_both_are() -> None:
    owing = Owing()
    owing.said([Header(EPOCH, Class.VITAL, 1, 0), Header(EPOCH, Class.VITAL, 2, 0)], [WAVES])
    assert owing.held(Class.VITAL, EPOCH, [(2, 2)]) == []
    assert owing.held(Class.VITAL, EPOCH, [(1, 1)]) == [WAVES]


def test_a_beat_that_says_nothing_of_losses_settles_none() -> None:
    owing = Owing()
    owing.said(BEAT, [])
    assert owing.held(Class.VITAL, EPOCH, [(0, 99)]) == []
