"""Checks of lesson 41: a schema, equal calls, an attribute left out, a judge of its own."""

from __future__ import annotations

from .checks import close, mean_of


def exercise_1(schema, lesson):
    """Two attributes that can be read from a text."""
    names = [attribute.name for attribute in schema.attributes]
    if sorted(names) != ["a name", "last mark"]:
        return f"the attributes are called 'a name' and 'last mark'; found {', '.join(names)}."
    if not schema.read("We met Ana today.").get("a name"):
        return "'a name' is not read: give `Attribute` a function of the text."
    wanted = {
        "We met Ana today.": ("yes", "full stop"),
        "Good soup. Poor cake!": ("no", "exclamation mark"),
        "Is it good? ": ("no", "question mark"),
        "so so": ("no", "none"),
    }
    for text, (name, mark) in wanted.items():
        found = schema.read(text)
        if found.get("a name") != name and name == "no":
            return f"{text!r} names nothing: a capital at the start of a sentence does not count."
        if found.get("a name") != name:
            return f"{text!r} has a capitalised word in the middle of a sentence."
        if found.get("last mark") != mark and text.endswith(" "):
            return f"{text!r} ends with a {mark}: leave out spaces before you look at the end."
        if found.get("last mark") != mark:
            return f"the last mark of {text!r} is {mark!r}, and not {found.get('last mark')!r}."


def exercise_2(found, lesson):
    """Two calls minus one call, at equal numbers of calls."""
    name = "oracle of llm reviews"
    values = {measure: mean_of(found[measure]) for measure in lesson.MEASURES}
    known = {measure: lesson.gains[name, measure].mean for measure in lesson.MEASURES}
    if close(list(values.values()), list(known.values())):
        return "these are equal numbers of texts; the one-call arm may write k + 1 per record."
    if all(values[m] * known[m] < 0 for m in values):
        return "the signs are turned: two calls minus one call."
    if abs(values["effective"]) > 2.5 * abs(known["effective"]):
        return "the arms differ in size: thin the one-call arm to k texts per demonstration."
    for measure in values:
        if values[measure] * known[measure] <= 0:
            return f"{measure} changes its sign; are teacher and seeds those of section 10?"


def exercise_3(lost, lesson):
    """Growth of an attribute's distance when it is left out."""
    habit = lesson.oracle(lesson.load_world("reviews", distribution="llm"))
    given = [lesson.world.attributes(row) for row in lesson.world.rows(96, seed=3)]

    def apart(left_out=None):
        less = [{k: v for k, v in record.items() if k != left_out} for record in given]
        rows = lesson.write(habit, less, lesson.REVIEWS)
        return lesson.distances([row["text"] for row in rows])

    whole = apart()
    for name in ("length", "tone"):
        then, value = apart(name)[name], float(lost[name])
        if abs(value - (then - whole[name])) < 0.08:
            continue
        if abs(value - then) < 0.02:
            return "this is the distance itself; subtract that with complete records."
        if abs(value + then - whole[name]) < 0.08:
            return "the sign is turned: the distance without, minus the distance with it."
        if abs(value) < 0.02:
            return "nothing changes: is the attribute gone from the records that are written from?"
        return f"for {name!r} it is {then - whole[name]:.2f}, and not {value:.2f}."


def exercise_4(shares, lesson):
    """The share that a judge finds right, and the true one."""
    judged, true = float(shares["judged"]), float(shares["true"])
    followed = lesson.match(lesson.rows, lesson.REVIEWS)
    if close(judged, followed["all"].mean) and not close(true, followed["all"].mean):
        return "the two are swapped."
    if any(close(true, followed[n].mean) for n in lesson.REVIEWS.names if n != "all"):
        return "this is one attribute; a text follows its record if it shows all of them."
    if not close(true, followed["all"].mean):
        return f"the world finds {followed['all'].mean:.3f} that show all of their record."
    if judged <= true:
        return "the judge is not stricter than the world: compare its record with `row['record']`."
    if judged > 1:
        return "this is a number of texts; their share is asked for."
