"""A real pretrained model from elsewhere (stories260K) goes through the same calls."""

from itertools import pairwise

import pytest
import torch
from stories260k import convert

from synthkit.lm import ATTENTION_POOLINGS, load_lm

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


def test_sizes(stories):
    assert stories.describe()["parameters"] == 260_032
    assert (stories.hidden_size, stories.context, stories.bos_id) == (64, 512, 1)
    assert not stories.is_embedded


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
    embeds = stories.embed_tokens(prompts)
    again = stories.generate(inputs_embeds=embeds, max_new_tokens=60)
    assert [text.strip() for text in again] == [text.strip() for text in texts]
    cut = stories.generate(prompts, max_new_tokens=60, stop=["."])
    assert cut == [text.split(".")[0] for text in texts]
    sampled = stories.generate(prompts * 4, max_new_tokens=20, temperature=1.0, top_p=0.9, seed=3)
    assert len(set(sampled)) > 4


def test_attention_embeddings_and_likelihood(stories):
    rows = stories.embed_tokens(TEXTS)
    for pooling in ATTENTION_POOLINGS:
        for weights, row in zip(stories.attention_weights(TEXTS, pooling), rows):
            assert weights.shape == (len(row),) and abs(weights.sum().item() - 1) < 1e-5
            assert (weights >= 0).all()
    scrambled = " ".join(reversed(OPENING.split()))
    plain, odd = stories.nll([OPENING, scrambled])
    assert plain < odd


def test_in_four_and_eight_bits(stories, folder):
    for bits in (4, 8):
        lm = load_lm(folder, bits=bits, device="cpu")
        assert lm.bits == bits and lm.describe()["parameters"] == 260_032
        assert lm.generate(["Once upon a time,"], max_new_tokens=8)[0].startswith(" there was")
        assert (lm.nll(TEXTS[:2]) - stories.nll(TEXTS[:2])).abs().max() < 0.1
        assert all(abs(w.sum().item() - 1) < 1e-5 for w in lm.attention_weights(TEXTS))
