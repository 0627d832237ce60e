"""Raw values against plain Python."""

from __future__ import annotations

import math
import zlib

import pyarrow as pa
import pytest

from zoo.core.errors import UserError
from zoo.data.roles import FeatureConfig
from zoo.data.values import cells_of, hashed, numbers_of, scale_of, transformed, vocabulary, words_of


def test_words_are_the_same_from_arrow_and_from_python() -> None:
    raw = ["a", None, "7", "7.5"]
    assert words_of(pa.chunked_array([raw])).to_pylist() == words_of(raw).to_pylist() == raw
    assert words_of(pa.array([7, None])).to_pylist() == words_of([7.0, math.nan]).to_pylist() == ["7", None]


def test_a_hash_is_the_checksum_of_the_word_and_0_where_there_is_none() -> None:
    words = pa.array(["a", None, "b", "a"])
    expected = [0 if word is None else 1 + zlib.crc32(word.encode()) % 5 for word in words.to_pylist()]
    assert hashed(words, 5).tolist() == expected


def test_rare_words_are_left_out_of_a_vocabulary() -> None:
    column = pa.chunked_array([["b", "a", "b", None], ["c", "a"]])
    assert vocabulary(column, 1) == ("a", "b", "c") and vocabulary(column, 2) == ("a", "b")
    assert vocabulary(pa.chunked_array([[["x", "y"], ["y"], []]]), 2) == ("y",)


def test_numbers_and_their_scale_leave_out_what_is_not_known() -> None:
    numbers = numbers_of("price", pa.chunked_array([[1, None, 3]]))
    assert math.isnan(numbers[1]) and scale_of(numbers) == (2.0, 1.0)
    assert numbers_of("price", ["2.5", None])[0] == 2.5
    log = transformed(numbers_of("price", [0, math.e - 1, -5]), FeatureConfig("numeric", transform="log"))
    assert log.tolist() == [0.0, 1.0, 0.0]
    with pytest.raises(UserError, match="price: expected a number, found 'x'"):
        numbers_of("price", ["x"])


def test_a_text_is_no_list() -> None:
    assert cells_of("tags", [["a", 1], None]).to_pylist() == [["a", "1"], []]
    with pytest.raises(UserError, match="tags: expected a list of values, found 'a'"):
        cells_of("tags", ["a"])
