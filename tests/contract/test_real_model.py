"""Each method on SmolLM2 in NF4, on a CPU: it fits, samples, saves, and loads what it was."""

import pytest
from contract.methods import METHODS

from synthkit import load_lm
from synthkit.lm.catalogue import cached

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(cached("smollm2") is None, reason="needs synthkit get-model smollm2"),
]
QUESTIONS = [
    "Mia buys 3 boxes of 12 pencils and gives 9 pencils away. How many does she keep?",
    "A baker sells 48 rolls in the morning and half as many later. How many rolls is that?",
    "Tom runs 4 miles a day, five days a week. How far does he run in six weeks?",
    "A ticket costs $7, and Ana pays with a $50 note for 6 tickets. What is her change?",
    "There are 28 children in a class, and a quarter of them wear glasses. How many do not?",
    "Sam saves $15 a month. After how many months can he buy a bicycle for $180?",
    "A tank holds 90 litres and loses 2 litres an hour. What is left after 20 hours?",
    "Eva reads 25 pages an evening. How many evenings does a book of 300 pages take her?",
    "Each of 6 hens lays 5 eggs a week. How many dozen eggs are laid in four weeks?",
    "A bus with 40 seats is three fifths full. How many people can still get on?",
    "Leo earns $12 an hour and works 7 hours on Friday. What does he take home?",
    "A rope of 36 feet is cut into pieces of 4 feet. How many cuts does that take?",
    "Nina plants 8 rows of 11 tulips, and 13 do not grow. How many tulips are there?",
    "A shirt of $40 is sold at 30 percent off. What does it cost now?",
    "Ben is twice as old as Kim, who is 9. How old will Ben be in five years?",
    "A farmer fills 14 crates with 20 apples each and eats one. How many apples are left?",
]
ANSWERS = (27, 72, 120, 8, 21, 12, 50, 12, 10, 16, 84, 8, 75, 28, 23, 279)
ANSWERED = [{"question": q, "answer": f"It is {a}."} for q, a in zip(QUESTIONS, ANSWERS)]
ROWS = {
    "EmbedSDG": ANSWERED,
    "SPA": ANSWERED,
    "SoftSRV": [{"text": text} for text in QUESTIONS],
    "SynAlign": [{"text": q, "label": str("$" in q)} for q in QUESTIONS],
    "DiffLM as JSON": [
        {"asks": q.rsplit(". ")[-1].split()[0], "answer": a} for q, a in zip(QUESTIONS, ANSWERS)
    ],
}
OWN = {  # instead of the least that the contract asks for: what only a model that can write shows
    "EmbedSDG": {"sketch": "decode"},
    "SPA": {"lr": 5e-4, "max_new_tokens": 24},
    "SynAlign": {"teacher": None, "max_new_tokens": 64, "retries": 2},
}


@pytest.fixture(scope="module")
def lm():
    return load_lm("smollm2", bits=4, device="cpu")


@pytest.mark.filterwarnings("ignore:this model copies")
@pytest.mark.parametrize("name", ROWS)
def test_a_method_fits_samples_saves_and_loads_in_nf4(name, lm, tmp_path):
    case, rows, before = METHODS[name], ROWS[name], lm.fingerprint
    own = OWN.get(name, {})
    fit = {**case.fit, **({"queries": rows[:2]} if name == "SPA" else {})}
    method = case.make(lm, **own).fit(rows, **fit)
    made = method.sample(3, seed=5)
    assert len(made) == 3 and lm.bits == 4, method.report
    if name != "DiffLM as JSON":
        assert all(row[case.data[0]].strip() for row in made)
    folder = method.save(tmp_path / "fitted")
    given = {key: own.get(key, value) for key, value in case.load.items()}
    again = case.kind.load(folder, lm, **given)
    assert again.sample(3, seed=5).to_list() == made.to_list()
    assert again.sample(3, seed=6).to_list() != made.to_list()
    assert lm.fingerprint == before
