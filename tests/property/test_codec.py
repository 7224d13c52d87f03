"""The waveform codec gives back every integer, and survives every byte it did not write."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire import codes, fitted, mixing, nimble, predict
from wire.bits import Fields, Reader, fold, unfold
from wire.codec import CodecError, Encoder, decode, encode

INT32 = np.iinfo(np.int32)
FUZZ_SECONDS = 0.25  # for one chunk of this file's sizes; a decoder that loops takes far longer


def ecg(rng, channels, n, noise=3.0):
    """Beats of one shape at different gains, wander and noise."""
    t = np.arange(n) / 500
    phase = t % 0.8
    beat = 900 * np.exp(-(((phase - 0.3) / 0.01) ** 2)) + 200 * np.exp(-(((phase - 0.5) / 0.05) ** 2))
    gains = 0.3 + rng.random((channels, 1))
    return np.rint(gains * beat + 40 * np.sin(2 * t) + rng.normal(0, noise, (channels, n)))


def twelve_leads(rng, n):
    first, second = ecg(rng, 2, n)
    limb = [first, second, second - first, -((first + second) // 2), first - second / 2, second - first / 2]
    return np.rint(np.vstack([*limb, ecg(rng, 6, n)]))


def spikes(rng, channels, n):
    calm = rng.integers(-4, 5, (channels, n))
    return np.where(rng.random((channels, n)) < 0.03, rng.integers(-(2**23), 2**23, (channels, n)), calm)


def extremes(rng, channels, n):
    return rng.choice([INT32.min, INT32.max, 0, -1], (channels, n))


KINDS = {
    "constant": lambda rng, c, n: np.repeat(rng.integers(INT32.min, INT32.max, (c, 1)), n, axis=1),
    "ramp": lambda rng, c, n: rng.integers(-9, 9, (c, 1)) * np.arange(n) + rng.integers(-999, 999, (c, 1)),
    "full": lambda rng, c, n: rng.integers(INT32.min, INT32.max + 1, (c, n)),
    "sixteen": lambda rng, c, n: rng.integers(-(2**15), 2**15, (c, n)),
    "extremes": extremes,
    "spikes": spikes,
    "lattice": lambda rng, c, n: np.cumsum(rng.integers(-3, 4, (c, n)), axis=1) * 25 + rng.integers(0, 25, (c, 1)),
    "walk": lambda rng, c, n: np.cumsum(rng.integers(-300, 301, (c, n)), axis=1),
    "noise": lambda rng, c, n: np.rint(rng.normal(0, 6, (c, n))),
    "big": lambda rng, c, n: np.cumsum(rng.integers(-(2**24), 2**24, (c, n)), axis=1) % 2**31,
    "ecg": ecg,
    "leads": lambda rng, c, n: twelve_leads(rng, n),
}


def chunk(kind, seed, channels, n):
    return KINDS[kind](np.random.default_rng(seed), channels, n).astype(np.int32)


chunks = st.builds(
    chunk,
    st.sampled_from(sorted(KINDS)),
    st.integers(0, 2**32 - 1),
    st.integers(1, 20),
    st.one_of(st.integers(1, 40), st.integers(41, 400)),
)


def decode_any(data, channels, n):
    """Whatever comes out is a chunk of that shape or a CodecError, and it comes soon."""
    begin = time.process_time()
    try:
        samples = decode(data, channels, n)
    except CodecError:
        samples = None
    assert time.process_time() - begin < FUZZ_SECONDS
    assert samples is None or (samples.shape == (channels, n) and samples.dtype == np.int32)


@settings(max_examples=250, deadline=None)
@given(chunks)
def test_every_sample_comes_back(samples):
    data = encode(samples)
    assert np.array_equal(decode(data, *samples.shape), samples)
    assert len(data) <= 1 + samples.size * (2 if samples.dtype == np.int16 else 4)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (64, 1), (2, 3), (12, 500), (36, 60), (64, 90)])
def test_every_kind_and_shape(kind, shape):
    samples = chunk(kind, 7, *shape)
    assert np.array_equal(decode(encode(samples), *samples.shape), samples)
    assert encode(samples.astype(np.int64)) == encode(samples)


def test_the_longest_chunk():
    samples = chunk("walk", 1, 2, 65535)
    assert np.array_equal(decode(encode(samples), 2, 65535), samples)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((1, 300), "walk"), ((3, 120), "ecg"), ((12, 100), "leads"), ((2, 50), "lattice"), ((2, 9), "full")],
)
def test_every_truncation_and_one_byte_more(shape, kind):
    samples = chunk(kind, 3, *shape)
    data = encode(samples)
    for cut in range(len(data)):
        with pytest.raises(CodecError):
            decode(data[:cut], *samples.shape)
    with pytest.raises(CodecError):
        decode(data + b"\0", *samples.shape)


@settings(max_examples=150, deadline=None)
@given(chunks, st.data())
def test_flipped_bits_never_crash(samples, data):
    damaged = bytearray(encode(samples))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 8 * min(len(damaged), 80) - 1))
        damaged[at >> 3] ^= 0x80 >> (at & 7)
    decode_any(bytes(damaged), *samples.shape)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 64), st.integers(1, 300), st.sampled_from([2, 3]))
def test_noise_never_crashes(noise, channels, n, kind):
    decode_any(bytes([16 | kind]) + noise, channels, n)
    decode_any(noise, channels, n)


def test_a_wrong_shape_is_refused_or_wrong_but_never_a_crash():
    data = encode(chunk("leads", 5, 12, 200))
    for shape in [(12, 199), (12, 201), (11, 200), (13, 200), (1, 1), (64, 65535)]:
        try:
            decode(data, *shape)
        except CodecError:
            continue


@pytest.mark.parametrize("shape", [(0, 5), (65, 5), (1, 0), (1, 65536)])
def test_shapes_outside_the_format(shape):
    with pytest.raises(CodecError):
        encode(np.zeros(shape, np.int32))
    with pytest.raises(CodecError):
        decode(b"\x12", *shape)


def test_samples_outside_32_bits():
    with pytest.raises(CodecError):
        encode(np.array([[2**31]], np.int64))


def test_what_does_not_move_costs_almost_nothing():
    still = np.repeat(np.arange(36)[:, None] * 100, 60, axis=1)
    assert len(encode(still)) <= 72
    ramps = still + 3 * np.arange(60)
    assert len(encode(ramps)) <= 160


def test_noise_costs_what_it_must():
    """Against the entropy of the noise: what the codec adds over 12 rows of 500 samples."""
    sigma = 6.0
    samples = chunk("noise", 1, 12, 500)
    floor = math.log2(sigma * math.sqrt(2 * math.pi * math.e))
    assert len(encode(samples)) * 8 / samples.size < floor + 0.12


def test_leads_that_share_their_beats_cost_little_more_than_their_noise():
    rng = np.random.default_rng(2)
    samples = ecg(rng, 12, 500, noise=6.0).astype(np.int32)
    floor = math.log2(6 * math.sqrt(2 * math.pi * math.e))
    assert len(encode(samples)) * 8 / samples.size < floor + 0.25


def test_derived_leads_leave_only_their_rounding():
    samples = chunk("leads", 4, 12, 500).astype(np.int64)
    mixed = mixing.mix(samples, mixing.plan_mix(samples))
    assert mixed is not None
    assert np.abs(mixed[2:6]).max() <= 2


def test_a_common_step_is_taken_out():
    walk = chunk("walk", 9, 1, 400)
    assert len(encode(walk * 40 + 7)) <= len(encode(walk)) + 4


@given(st.integers(-(2**38), 2**38), st.integers(0, 20))
def test_signed_fields(value, rice):
    out = Fields()
    out.put(5, 3)
    out.put_signed(value, rice)
    source = Reader(out.pack())
    assert (source.take(3), source.take_signed(rice)) == (5, value)
    assert unfold(fold(value)) == value


@given(st.lists(st.tuples(st.integers(0, 2**46 - 1), st.integers(1, 46)), min_size=1, max_size=60))
def test_fields_follow_each_other(fields):
    out = Fields()
    values = np.array([value & ((1 << width) - 1) for value, width in fields], np.int64)
    out.extend(values, np.array([width for _, width in fields], np.int64))
    source = Reader(out.pack())
    assert [source.take(width) for _, width in fields] == values.tolist()
    source.expect_end()


def test_each_step_is_undone():
    rng = np.random.default_rng(3)
    rows = ecg(rng, 5, 300).astype(np.int64)
    weights = np.tril(rng.integers(-90, 90, (5, 5)), -1)
    assert np.array_equal(mixing.unchain(mixing.chain(rows, weights), weights), rows)
    shares = np.array([200, 210, 300, 180, 190])
    assert np.array_equal(mixing.unturn(mixing.turn(rows, 2, shares), 2, shares), rows)
    assert nimble.undo(nimble.residuals_of(rows[:1])[0].tolist()) == rows[0].tolist()
    taps = fitted.fit(rows, rows, np.arange(5))
    assert np.array_equal(fitted.undo_fit(fitted.residuals_of(rows, taps), taps), rows)
    flat = rows
    for order in range(1, predict.ORDERS):
        flat = predict.differences(flat, order)
    ways = [predict.ORDERS - 1] * 5
    assert np.array_equal(predict.undo_prediction(flat, np.zeros((5, 3), np.int64), ways, fitted.NO_TAPS), rows)


@given(st.lists(chunks, min_size=2, max_size=12))
@settings(max_examples=40, deadline=None)
def test_an_encoder_that_remembers_forgets_nothing(following):
    encoder = Encoder()
    for samples in following:
        coded = encoder.encode(samples)
        assert np.array_equal(decode(coded, *samples.shape), samples)
        assert len(coded) <= samples.size * 4 + 1


def test_a_remembered_plan_costs_next_to_nothing_and_is_given_up_when_the_signal_changes():
    rng = np.random.default_rng(11)
    calm, wild = ecg(rng, 12, 4000), rng.integers(-(2**20), 2**20, (12, 500))
    encoder = Encoder()
    pieces = [calm[:, at : at + 500].astype(np.int32) for at in range(0, 4000, 500)]
    remembered = sum(len(encoder.encode(piece)) for piece in pieces)
    assert remembered <= 1.01 * sum(len(encode(piece)) for piece in pieces)
    assert len(encoder.encode(wild)) <= len(encode(wild))
    again = [len(encoder.encode(piece)) for piece in pieces]
    assert all(size <= 1.05 * len(encode(piece)) for size, piece in zip(again[3:], pieces[3:], strict=True))


def test_a_turn_does_not_amplify_noise():
    rng = np.random.default_rng(4)
    noise = np.rint(rng.normal(0, 100, (4, 20000))).astype(np.int64)
    turned = mixing.turn(noise, 3, np.array([200, 250, 150, 370]))
    assert np.allclose(turned.std(axis=1), 100, rtol=0.03)


def test_every_table_is_a_complete_prefix_code():
    lengths = codes.tables()[1]
    assert lengths.max() <= codes.CODE_MAX_BITS
    assert np.all((2.0**-lengths).sum(axis=2) == 1)
