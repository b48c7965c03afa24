"""Texts in every script: what a word is, and when two texts are the same."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthkit.core.texts import count_words, same_key
from synthkit.embed.encoders import TfidfEmbedder
from synthkit.embedsdg.replies import jaccard
from synthkit.evaluation.contamination import HeldOut, masked, question_key
from synthkit.evaluation.diversity import unique_fraction
from synthkit.evaluation.text import distinct_n, exact_duplicates, near_duplicates, novelty, words
from synthkit.softsrv.filters import DUPLICATE, EMPTY, KEPT, Filter

CHINESE = [
    "小明买了三个苹果，又吃了一个，现在还有几个？",
    "火车上午九点离开北京，下午两点到达上海。",
    "她的妹妹比她小四岁，今年上小学二年级。",
]
COMPOSED = "Élodie préfère le café très serré à midi, même l'été."
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A coat of $1,250!", ["a", "coat", "of", "$", "1", ",", "250", "!"]),
        ("iPhone手机", ["iphone", "手", "机"]),
        ("コーヒー", list("コーヒー")),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("❤️ ok", ["❤️", "ok"]),
    ],
)
def test_words_of_several_scripts(text, found):
    assert words(text) == found == words(unicodedata.normalize("NFD", text))


def test_numbers_are_masked_whole():
    assert words("共1,250元", mask_digits=True) == ["共", "#", "元"]


@given(st.text(max_size=40))
def test_a_text_and_its_decomposed_form_are_the_same(text):
    other = unicodedata.normalize("NFD", text)
    assert words(text) == words(other) and same_key(text) == same_key(other)
    assert count_words(text) == count_words(other)


@given(st.lists(st.text("abc,.é ", min_size=1, max_size=9), min_size=1, max_size=4))
def test_no_letter_is_lost(parts):
    text = " ".join(parts)
    assert "".join(words(text)) == "".join(text.lower().split())


def test_measures_see_texts_without_spaces():
    changed = CHINESE[0].replace("苹果", "鸭梨")
    assert near_duplicates([changed], CHINESE, threshold=0.3).all()
    assert not near_duplicates([CHINESE[1]], CHINESE[2:], threshold=0.3).any()
    assert 0 < novelty([changed], CHINESE)[0] < 0.5 < novelty([CHINESE[1]], [CHINESE[2]])[0]
    assert jaccard(changed, CHINESE[0], 2) > 0.4 > jaccard(CHINESE[1], CHINESE[2], 2)
    assert 0 < distinct_n(CHINESE * 2) < 0.6
    assert "请问，" + CHINESE[0] in HeldOut(CHINESE, n=8)


def test_measures_take_composed_and_decomposed_texts_for_equal():
    assert exact_duplicates([DECOMPOSED], [COMPOSED]).all()
    assert near_duplicates([DECOMPOSED], [COMPOSED]).all()
    for unit in ("word", "char"):
        assert novelty([DECOMPOSED], [COMPOSED], unit=unit)[0] == pytest.approx(0)
    assert DECOMPOSED in HeldOut([COMPOSED], n=None)
    assert question_key(DECOMPOSED) == question_key(COMPOSED)
    assert masked(DECOMPOSED) == masked(COMPOSED)
    assert unique_fraction([[COMPOSED, DECOMPOSED]])[0] == 0.5
    assert Filter([COMPOSED]).judge(DECOMPOSED).status == DUPLICATE


def test_embedders_tell_texts_without_spaces_apart():
    embedder = TfidfEmbedder(dims=8).fit([*CHINESE, COMPOSED])
    near, far, same = embedder([CHINESE[0].replace("苹果", "鸭梨"), CHINESE[1], DECOMPOSED])
    own = embedder([CHINESE[0], COMPOSED])
    assert near @ own[0] > 0.8 > far @ own[0]
    np.testing.assert_allclose(same, own[1], atol=1e-6)


def test_a_text_without_spaces_is_long_enough():
    rule = Filter(min_words=5)
    assert rule.judge(CHINESE[1]).status == KEPT
    assert rule.judge("four words, no more").status == EMPTY
    assert rule.judge("好的").status == EMPTY
