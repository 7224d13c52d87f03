"""Lossless coding of one chunk of waveforms: integers in, the same integers out.

samples -> common step -> mixed rows (wire.mixing) -> prediction (wire.predict) -> codes (wire.entropy),
or, where that would be longer, the samples as they are. A chunk needs nothing but itself, its number of
channels and of samples. Floating point is used to choose, never to restore. The bytes are described in
docs/formats-codec.md; tests/vectors/codec.json holds examples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wire import entropy, mixing, predict
from wire.bits import CodecError, Fields, Ints, Reader

__all__ = ["CHANNELS_MAX", "SAMPLES_MAX", "CodecError", "Encoder", "decode", "encode"]

CHANNELS_MAX = 64
SAMPLES_MAX = 65535
VERSION = 1
# The low four bits of the first byte; VERSION is in the high four.
RAW_16, RAW_32, CODED, STEPPED = 0, 1, 2, 3
RAW_TYPES = {RAW_16: "<i2", RAW_32: "<i4"}
STEP_RICE = 6
STEP_SAMPLES = 16  # enough to see that there is no common step
RESIDUAL_LIMIT = 1 << 31
LIFE_FIRST_CHUNKS, LIFE_LIMIT_CHUNKS = 2, 32  # a plan's life doubles each time it stands against a new one
CALMED_CHUNKS = 2
PATIENCE = 0.1  # a chunk larger than the plan's own by this share asks for a new plan
PATIENCE_BYTES = 16
SMALL_SAMPLES, SMALL_BYTES = 256, 48  # a chunk so small is not worth much choosing
INT32 = np.iinfo(np.int32)


class Plan(NamedTuple):
    """How a chunk is coded: chosen by estimate, said in the chunk, exact whatever was chosen."""

    mix: mixing.Mix
    prediction: predict.Prediction


def encode(samples: NDArray[Any]) -> bytes:
    """One chunk of int32 (or int64 within its range) samples, shape (channels, n)."""
    return Encoder().encode(samples)


class Encoder:
    """Codes chunk after chunk of the same channels. Each chunk stands alone; only the choosing has a memory.

    Choosing costs more than coding, and what suits one second of a heart suits the next: a plan lives for some chunks,
    longer each time that a new one was no better, or until a chunk takes clearly more than the one it was made for.
    """

    def __init__(self) -> None:
        self._plan: Plan | None = None
        self._life = LIFE_FIRST_CHUNKS
        self._left = 0
        self._bits = 0.0  # a sample, when the plan was made

    def encode(self, samples: NDArray[Any]) -> bytes:
        """As `encode` of this module."""
        _check_shape(*samples.shape)
        values = samples.astype(np.int64)
        if values.min() < INT32.min or values.max() > INT32.max:
            raise CodecError("a sample does not fit 32 bits")
        coded = self._coded(values)
        kind = RAW_16 if values.min() >= -32768 and values.max() < 32768 else RAW_32
        if coded is None or len(coded) > samples.size * np.dtype(RAW_TYPES[kind]).itemsize:
            return bytes([VERSION << 4 | kind]) + samples.astype(RAW_TYPES[kind]).tobytes()
        return coded

    def _coded(self, values: Ints) -> bytes | None:
        step, offsets = _common_step(values), np.zeros(0, np.int64)
        if step > 1:
            offsets = values[:, 0] % step
            values = (values - offsets[:, None]) // step
        coded = self._as_before(values, step, offsets)
        if coded is None or not self._left or not self._is_as_hoped(len(coded), values.size):
            return self._anew(coded, values, step, offsets)
        self._left -= 1
        return coded

    def _as_before(self, values: Ints, step: int, offsets: Ints) -> bytes | None:
        """Coded by the plan at hand; None where there is none that fits."""
        if self._plan is None or len(self._plan.prediction.ways) != len(values):
            return None
        return _encode_rows(values, self._plan, step, offsets)

    def _anew(self, before: bytes | None, values: Ints, step: int, offsets: Ints) -> bytes | None:
        """Coded by a new plan, unless the one at hand does as well (`before`): then that one lives on."""
        plan = _plan(values)
        coded = _encode_rows(values, plan, step, offsets)
        if before is not None and (coded is None or len(before) <= len(coded)):
            coded = before
            self._life = min(2 * self._life, LIFE_LIMIT_CHUNKS)
        else:
            self._plan, self._life = plan, LIFE_FIRST_CHUNKS
        self._left = self._life if coded is not None else 0
        self._bits = 8 * len(coded) / values.size if coded is not None else 0.0
        return coded

    def _is_as_hoped(self, size: int, samples: int) -> bool:
        """Not clearly larger than the plan's own chunk; where it is clearly smaller, the plan's days are numbered."""
        hoped = self._bits * samples / 8
        if size < hoped * (1 - PATIENCE):
            self._left = min(self._left, CALMED_CHUNKS)
        return size <= hoped * (1 + PATIENCE) + (PATIENCE_BYTES if samples > SMALL_SAMPLES else SMALL_BYTES)


def decode(data: bytes, channels: int, n: int) -> NDArray[np.int32]:
    """The samples again, shape (channels, n); `CodecError` for what `encode` cannot have written."""
    _check_shape(channels, n)
    if not data or data[0] >> 4 != VERSION:
        raise CodecError(f"not a chunk of version {VERSION}")
    kind = data[0] & 15
    if kind in RAW_TYPES:
        return _decode_raw(data[1:], channels, n, RAW_TYPES[kind])
    if kind > STEPPED:
        raise CodecError(f"unknown kind of chunk: {kind}")
    values = _decode_rows(Reader(data[1:]), channels, n, stepped=kind == STEPPED)
    if values.min() < INT32.min or values.max() > INT32.max:
        raise CodecError("a sample does not fit 32 bits")
    return values.astype(np.int32)


def _check_shape(channels: int, n: int) -> None:
    if not (1 <= channels <= CHANNELS_MAX and 1 <= n <= SAMPLES_MAX):
        raise CodecError(f"a chunk cannot have {channels} channels of {n} samples")


def _decode_raw(body: bytes, channels: int, n: int, kind: str) -> NDArray[np.int32]:
    if len(body) != channels * n * np.dtype(kind).itemsize:
        raise CodecError("a plain chunk of the wrong length")
    return np.frombuffer(body, kind).astype(np.int32).reshape(channels, n)


def _plan(values: Ints) -> Plan:
    mix = mixing.plan_mix(values)
    mixed = mixing.mix(values, mix)
    if mixed is None:
        mix, mixed = mixing.Mix(), values
    return Plan(mix, predict.plan_prediction(mixed, mix.aside))


def _encode_rows(values: Ints, plan: Plan, step: int, offsets: Ints) -> bytes | None:
    """A coded chunk, or None where the plan does not fit these samples or they leave what the codes can say."""
    mixed = mixing.mix(values, plan.mix)
    predicted = None if mixed is None else predict.predict(mixed, plan.prediction)
    if predicted is None or int(np.abs(predicted[0]).max()) >= RESIDUAL_LIMIT:
        return None
    residuals, seeds = predicted
    out = Fields()
    if step > 1:
        out.put_signed(step, STEP_RICE)
        for offset in offsets.tolist():
            out.put(offset, step.bit_length())
    mixing.write_mix(out, plan.mix)
    predict.write_prediction(out, plan.prediction, seeds)
    entropy.write_rows(out, residuals)
    return bytes([VERSION << 4 | (STEPPED if step > 1 else CODED)]) + out.pack()


def _decode_rows(source: Reader, channels: int, n: int, *, stepped: bool) -> Ints:
    step, offsets = 1, np.zeros(channels, np.int64)
    if stepped:
        step = source.take_signed(STEP_RICE)
        if not 1 < step < 1 << 33:
            raise CodecError(f"no chunk has the step {step}")
        offsets[:] = [source.take(step.bit_length()) for _ in range(channels)]
    mode, main, weights = mixing.read_mixed(source, channels)
    seeds, ways, taps = predict.read_predicted(source, channels)
    residuals = entropy.read_rows(source, channels, n)
    source.expect_end()
    rows = predict.undo_prediction(residuals, seeds, ways, taps)
    return mixing.undo_mix(rows, mode, main, weights) * step + offsets[:, None]


def _common_step(values: Ints) -> int:
    """The largest number all differences within each channel are multiples of; 1 if they do not move."""
    moved = values - values[:, :1]
    if np.gcd.reduce(moved[:, :STEP_SAMPLES], axis=None) == 1:
        return 1
    return max(int(np.gcd.reduce(moved, axis=None)), 1)
