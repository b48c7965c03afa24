"""A real pretrained model from elsewhere (stories260K) goes through the same calls."""

from itertools import pairwise

import pytest
import torch
from stories260k import convert

from synthkit.lm import load_lm

OPENING = (
    "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
)
TEXTS = [OPENING, "Tom had a red ball. He was very happy.", "The end"]


@pytest.fixture(scope="module")
def source(shared_data):
    folder = shared_data / "stories260K"
    if not (folder / "stories260K.bin").is_file():
        pytest.skip(f"no stories260K at {folder}")
    return folder


@pytest.fixture(scope="module")
def folder(source, tmp_path_factory):
    return convert(source, tmp_path_factory.mktemp("stories"))


@pytest.fixture(scope="module")
def stories(folder):
    return load_lm(folder, device="cpu")


def nats_per_character(lm, text):
    """Without the EOS, which a story's opening does not lead to."""
    with torch.no_grad():
        losses = lm.token_losses(*lm.training_batch([text]))
    return losses[0, :-1].sum().item() / len(text)


@pytest.mark.parametrize(
    "text", [*TEXTS, 'She said, "I can\'t!"', "two  blanks\nand a line", "Café №5 \u2603", " x", ""]
)
def test_tokenizer_round_trip(stories, text):
    ids = stories.token_ids([text])[0]
    assert stories.tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_tokenizer_merges_by_score(stories):
    """Against a direct run of the published rule: merge the best-scoring pair, leftmost first."""
    tokenizer = stories.tokenizer
    for text in TEXTS:
        ids = stories.token_ids([text])[0]
        pieces = list("\u2581" + text.replace(" ", "\u2581"))
        vocab = tokenizer.get_vocab()  # learned pieces are numbered by falling score
        while True:
            pairs = [
                (vocab[a + b], i) for i, (a, b) in enumerate(pairwise(pieces)) if a + b in vocab
            ]
            if not pairs:
                break
            _, i = min(pairs)
            pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
        assert tokenizer.convert_ids_to_tokens(ids) == pieces


def test_knows_how_stories_begin(stories):
    assert nats_per_character(stories, OPENING) < 0.2


def test_wrong_rotary_layout_is_seen(source, tmp_path):
    wrong = load_lm(convert(source, tmp_path, permute=False), device="cpu")
    assert nats_per_character(wrong, OPENING) > 0.6


def test_generates_english(stories):
    prompts = ["Once upon a time,", "One day, Tom"]
    texts = stories.generate(prompts, max_new_tokens=60)
    for text in texts:
        assert text.startswith((" ", ","))  # the blank between prompt and text is kept
        words = text.lower().split()
        common = {"a", "the", "and", "to", "was", "he", "she", "it", "with", "her", "his", "they"}
        assert sum(word.strip('.,"') in common for word in words) > 0.2 * len(words)


def test_in_four_and_eight_bits(stories, folder):
    for bits in (4, 8):
        lm = load_lm(folder, bits=bits, device="cpu")
        assert lm.bits == bits and lm.describe()["parameters"] == 260_032
        assert lm.generate(["Once upon a time,"], max_new_tokens=8)[0].startswith(" there was")
        assert (lm.nll(TEXTS[:2]) - stories.nll(TEXTS[:2])).abs().max() < 0.1
        assert all(abs(w.sum().item() - 1) < 1e-5 for w in lm.attention_weights(TEXTS))
