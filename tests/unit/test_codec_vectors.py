"""The codec's format cannot drift: what these bytes mean is fixed, whatever wrote them.

`encode` may choose differently one day; the bytes here must decode to these samples for ever.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from wire import mixing, predict
from wire.bits import Reader
from wire.codec import CODED, RAW_16, RAW_32, STEPPED, CodecError, decode, encode

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "codec.json").read_text())
named = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])


@named
def test_the_bytes_mean_these_samples(vector):
    samples = np.array(vector["samples"], np.int32)
    assert np.array_equal(decode(bytes.fromhex(vector["hex"]), *samples.shape), samples)


@named
def test_encode_is_no_worse_than_when_the_vector_was_made(vector):
    samples = np.array(vector["samples"], np.int32)
    coded = encode(samples)
    assert np.array_equal(decode(coded, *samples.shape), samples)
    assert len(coded) <= 1.02 * len(vector["hex"]) / 2 + 1


@named
def test_another_version_is_refused(vector):
    data = bytes.fromhex(vector["hex"])
    with pytest.raises(CodecError):
        decode(bytes([data[0] ^ 0x30]) + data[1:], *np.shape(vector["samples"]))


def test_the_vectors_use_every_part_of_the_format():
    kinds, modes, ways = set(), set(), set()
    for vector in VECTORS:
        data, channels = bytes.fromhex(vector["hex"]), len(vector["samples"])
        kinds.add(data[0] & 15)
        if data[0] & 15 == CODED:
            source = Reader(data[1:])
            modes.add(mixing.read_mixed(source, channels)[0])
            ways.update(predict.read_predicted(source, channels)[1])
    assert kinds == {RAW_16, RAW_32, CODED, STEPPED}
    assert modes == {mixing.ALONE, mixing.CHAIN, mixing.TURN}
    assert ways == set(range(predict.WAYS))
