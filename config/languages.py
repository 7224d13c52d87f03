"""The languages of the bedside page, by their tags (RFC 5646)."""

from __future__ import annotations

from typing import Literal, get_args

Language = Literal["fr", "en", "zh-Hans", "ru", "ky", "kk", "ar", "ka"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
