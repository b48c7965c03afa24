"""The forty skill families of the math world: what each asks, and how it is solved.

Twenty families need a constant that the text does not give (a week has 7 days), twenty need a way
of their own to combine the numbers. All are solved in two steps on numbers of the same size, so
that how often a family was seen, not how hard it is, decides whether a student can solve it.
"""

from __future__ import annotations

from dataclasses import dataclass

Step = tuple[str, str, str]  # (left, operator, right): a slot, "r" (the last result) or a number

NAMES = (
    "Ana Ben Carla Dev Ella Finn Gita Hugo Iris Jon Kira Leo Maya Noah Olga Paul "
    "Rosa Sam Tara Umar Vera Will Yara Zoe"
).split()

TOWNS = "Arden Brill Corby Delft Elgin Fern Genoa Hove Ilmen Jarrow Kelso Lund".split()
# A sentence of scenery before the question: it changes nothing, and gives every family thousands of
# different texts.
SCENES = (
    "It is market day in {t}.",
    "It rains in {t}.",
    "The school of {t} is closed.",
    "{m} lives in {t}.",
    "{m} tells a story of {t}.",
    "Far from {t} the sun is up.",
    "This is a true story from {t}.",
    "{m} asks this in {t}.",
)


@dataclass(frozen=True)
class Family:
    """One kind of word problem.

    Attributes:
        name: the family's name.
        skill: the kind of skill it needs (units, bodies, rates, fractions, ...).
        steps: the two steps of the solution.
        ranges: slot -> (lowest, highest, stride) of the numbers drawn.
        phrasings: templates with the slots {n} (a name), {a} and {b} (numbers).
    """

    name: str
    skill: str
    steps: tuple[Step, Step]
    ranges: dict[str, tuple[int, int, int]]
    phrasings: tuple[str, ...]


_SMALL = {"a": (2, 12, 1), "b": (2, 12, 1)}


def _constant(name, skill, factor, sign, *phrasings) -> Family:
    """A family solved by `a * factor`, then plus or minus `b`."""
    lowest = 2 if sign == "+" else max(2, -(-13 // factor))
    ranges = {"a": (lowest, lowest + 10, 1), "b": (2, 12, 1)}
    return Family(name, skill, (("a", "*", str(factor)), ("r", sign, "b")), ranges, phrasings)


def _formula(name, skill, steps, ranges, *phrasings) -> Family:
    first, second = (tuple(step.split()) for step in steps)
    return Family(name, skill, (first, second), {**_SMALL, **ranges}, phrasings)


FAMILIES: tuple[Family, ...] = (
    # --- a constant that must be known: a * constant, then + b or - b
    _constant("bicycles", "bodies", 2, "+",
        "A shed holds {a} bicycles and {b} loose wheels. How many wheels are in the shed?",
        "{n} repairs {a} bicycles and finds {b} spare wheels. How many wheels are there in all?",
        "There are {b} single wheels beside {a} bicycles. Count all the wheels."),
    _constant("yards", "units", 3, "+",
        "A rope is {a} yards and {b} feet long. How many feet is that?",
        "{n} measures a fence of {a} yards and {b} feet. What is its length in feet?",
        "To {a} yards of ribbon {n} adds {b} feet. How many feet of ribbon are there?"),
    _constant("gallons", "units", 4, "-",
        "A tank of {a} gallons loses {b} quarts. How many quarts are left?",
        "{n} has {a} gallons of milk and pours out {b} quarts. How many quarts remain?",
        "From {a} gallons of paint {n} uses {b} quarts. How many quarts of paint are left?"),
    _constant("starfish", "bodies", 5, "+",
        "In a pool live {a} starfish, and {b} more arms lie in the sand. How many arms are there?",
        "{n} draws {a} starfish and {b} extra arms. How many arms are drawn?",
        "A poster shows {a} starfish and {b} single arms. How many arms can be seen?"),
    _constant("ants", "bodies", 6, "-",
        "A picture of {a} ants has {b} legs hidden. How many legs can be seen?",
        "{n} models {a} ants, but {b} legs break off. How many legs stay on?",
        "On the wall crawl {a} ants, with {b} legs in the shade. How many legs are in the sun?"),
    _constant("weeks", "calendars", 7, "+",
        "A trip lasts {a} weeks and {b} days. How many days is that?",
        "{n} waits {a} weeks and then {b} more days. How many days does {n} wait?",
        "The holiday of {n} has {a} weeks and {b} days. How long is it in days?"),
    _constant("spiders", "bodies", 8, "+",
        "A box holds {a} spiders and {b} loose legs. How many spider legs are in the box?",
        "{n} counts {a} spiders and {b} legs without a body. How many legs are counted?",
        "For a play {n} makes {a} spiders and {b} spare legs. How many legs are made?"),
    _constant("baseball", "teams", 9, "-",
        "In a league {a} baseball teams take the field, but {b} players are ill. How many play?",
        "{n} calls {a} full baseball teams and {b} players stay at home. How many players come?",
        "Of {a} baseball teams on the field {b} players leave. How many players are still there?"),
    _constant("dimes", "money", 10, "+",
        "{n} has {a} dimes and {b} cents. How many cents is that?",
        "In the jar of {n} lie {a} dimes and {b} cents. How many cents are in the jar?",
        "{n} finds {b} cents and {a} dimes. What is that worth in cents?"),
    _constant("football", "teams", 11, "+",
        "On a field stand {a} football teams and {b} referees. How many people stand there?",
        "{n} feeds {a} football teams and {b} coaches. How many people eat?",
        "A bus company drives {a} football teams and {b} fans. How many people travel?"),
    _constant("dozens", "units", 12, "-",
        "A farmer packs {a} dozen eggs and {b} break. How many eggs are whole?",
        "{n} bakes {a} dozen rolls and eats {b}. How many rolls are left?",
        "From {a} dozen pencils {n} gives away {b}. How many pencils does {n} keep?"),
    _constant("fortnights", "calendars", 14, "-",
        "A job takes {a} fortnights, less {b} days off. How many days of work is that?",
        "{n} rents a boat for {a} fortnights and brings it back {b} days early. "
        "For how many days was it out?",
        "Of {a} fortnights at sea {n} was ill for {b} days. On how many days was {n} well?"),
    _constant("pounds", "units", 16, "+",
        "A parcel weighs {a} pounds and {b} ounces. How many ounces is that?",
        "{n} buys {a} pounds and {b} ounces of rice. How many ounces of rice are there?",
        "The cat of {n} weighs {a} pounds and {b} ounces. What is its weight in ounces?"),
    _constant("scores", "units", 20, "-",
        "A flock of {a} score sheep loses {b}. How many sheep are left?",
        "{n} plants {a} score trees and {b} die. How many trees live?",
        "Of {a} score candles {n} burns {b}. How many candles remain?"),
    _constant("hours", "calendars", 24, "+",
        "A voyage takes {a} days and {b} hours. How many hours is that?",
        "{n} keeps a lamp on for {a} days and {b} hours. For how many hours does it burn?",
        "The storm lasts {a} days and {b} hours. How long is that in hours?"),
    _constant("quarters", "money", 25, "-",
        "{n} has {a} quarters and spends {b} cents. How many cents are left?",
        "From {a} quarters {n} pays {b} cents for gum. How many cents does {n} keep?",
        "A purse with {a} quarters is short by {b} cents. What is it worth in cents?"),
    _constant("chess", "games", 32, "-",
        "A club owns {a} full chess sets, then {b} pieces are lost. How many pieces are left?",
        "{n} buys {a} chess sets and gives away {b} pieces. How many pieces does {n} have?",
        "From {a} chess sets {b} pieces fall on the floor. How many pieces are in the boxes?"),
    _constant("cards", "games", 52, "+",
        "A table holds {a} decks of cards and {b} jokers. How many cards lie on the table?",
        "{n} mixes {a} decks with {b} extra cards. How many cards are mixed?",
        "To {a} decks {n} adds {b} picture cards. How many cards are there now?"),
    _constant("minutes", "calendars", 60, "-",
        "A film of {a} hours is cut by {b} minutes. How many minutes are left?",
        "{n} planned {a} hours of practice and stopped {b} minutes early. "
        "How many minutes did {n} practise?",
        "Of {a} hours in class {n} slept for {b} minutes. How many minutes was {n} awake?"),
    _constant("centuries", "calendars", 100, "+",
        "A tree is {a} centuries and {b} years old. How old is it in years?",
        "The castle stood for {a} centuries and {b} years. For how many years did it stand?",
        "{n} reads of a city of {a} centuries and {b} years. How many years is that?"),
    # --- a way of its own to combine the numbers
    _formula("taxi", "rates", ("a * 3", "r + 4"), {"a": (2, 40, 1), "b": (0, 0, 1)},
        "A taxi asks 4 dollars to start and 3 dollars a mile. What does {n} pay for {a} miles?",
        "{n} rides {a} miles in a taxi at 3 dollars a mile, with 4 dollars to start. "
        "What is the fare?",
        "The taxi of {n} starts at 4 dollars and adds 3 dollars for every mile. "
        "How much do {a} miles cost?"),
    _formula("wages", "rates", ("a * b", "r - 5"), {},
        "{n} works {a} hours at {b} dollars an hour and pays 5 dollars for lunch. "
        "How much is left of the wage?",
        "At {b} dollars an hour {n} works {a} hours, then spends 5 dollars on lunch. "
        "What does {n} bring home?",
        "A helper earns {b} dollars each hour for {a} hours and gives 5 dollars for lunch. "
        "What wage remains?"),
    _formula("halves", "fractions", ("a / 2", "r + b"), {"a": (12, 40, 2)},
        "{n} eats half of {a} plums and then picks {b} more. How many plums does {n} have?",
        "Half of {a} plums go bad and {b} fresh plums are bought. How many good plums are there?",
        "{n} sells half of {a} plums and finds {b} under the tree. How many plums are there now?"),
    _formula("thirds", "fractions", ("a / 3", "r * 2"), {"a": (6, 90, 3), "b": (0, 0, 1)},
        "Two thirds of {a} swimmers wear a cap. How many swimmers wear a cap?",
        "A lake has {a} swimmers and two thirds of them can dive. How many can dive?",
        "Of {a} swimmers {n} counts two thirds at the far side. How many swimmers are there?"),
    _formula("threequarters", "fractions", ("a / 4", "r * 3"), {"a": (8, 100, 4), "b": (0, 0, 1)},
        "Three quarters of {a} lamps are lit. How many lamps are lit?",
        "{n} cleans three quarters of {a} lamps. How many lamps are clean?",
        "In the hall hang {a} lamps, three quarters of them green. How many lamps are green?"),
    _formula("clock", "calendars", ("a + b", "r - 12"), {"a": (7, 11, 1), "b": (6, 11, 1)},
        "A train leaves at {a} in the morning and rides {b} hours. "
        "At what hour of the afternoon does it arrive?",
        "{n} takes the train at {a} in the morning for {b} hours. "
        "What does the clock show on arrival?",
        "The train of {n} starts at {a} in the morning. After {b} hours, what hour is it?"),
    _formula("together", "comparisons", ("a + b", "r + a"), {"a": (3, 30, 1)},
        "{n} has {a} stamps and a friend has {b} more than {n}. How many stamps in all?",
        "A friend owns {b} stamps more than {n}, who owns {a}. How many stamps do both own?",
        "With {a} stamps {n} has {b} fewer than a friend. How many stamps do the two have?"),
    _formula("fewer", "comparisons", ("a - b", "r + a"), {"a": (14, 40, 1)},
        "{n} catches {a} fish and a brother catches {b} fewer. How many fish do they catch?",
        "A brother of {n} gets {b} fish fewer than the {a} fish of {n}. How many fish in all?",
        "With {a} fish {n} beats a brother by {b}. How many fish have both caught?"),
    _formula("twice", "comparisons", ("a * 2", "r - b"), {"a": (8, 40, 1)},
        "{n} sold {a} tickets on Monday and twice as many on Tuesday, when {b} came back. "
        "How many Tuesday tickets stayed sold?",
        "On Tuesday {n} sells twice the {a} tickets of Monday, but {b} are returned. "
        "How many tickets of Tuesday count?",
        "Monday brought {a} tickets, Tuesday twice that less {b}. How many tickets on Tuesday?"),
    _formula("unknown", "unknown first", ("a + b", "r + 6"), {"a": (3, 30, 1)},
        "{n} lost {a} marbles, gave {b} to a friend and has 6 left. "
        "How many marbles were there at first?",
        "After losing {a} marbles and giving away {b}, {n} holds 6. "
        "How many marbles did {n} start with?",
        "A bag had some marbles. {n} took {a}, then {b}, and 6 remained. "
        "How many were in the bag?"),
    _formula("shared", "unknown first", ("a * b", "r + 2"), {},
        "Some sweets were shared by {a} children, who got {b} each, and 2 were left over. "
        "How many sweets were there?",
        "{n} gave {a} children {b} sweets each and kept 2. How many sweets did {n} have at first?",
        "After {a} children took {b} sweets each, 2 sweets lay in the bowl. "
        "How many sweets had it held?"),
    _formula("fence", "geometry", ("a + b", "r * 2"), {"a": (3, 30, 1)},
        "A garden is {a} steps long and {b} steps wide. How many steps is it all the way round?",
        "{n} walks once around a garden of {a} by {b} steps. How many steps does {n} walk?",
        "How long is the edge of a garden that is {a} steps by {b} steps?"),
    _formula("average", "averages", ("a + b", "r / 2"), {"a": (4, 30, 2), "b": (2, 30, 2)},
        "{n} scores {a} in the first quiz and {b} in the second. What is the mean score?",
        "Two quiz scores of {n} are {a} and {b}. What is their average?",
        "The quizzes gave {n} {a} and {b} points. What is the mean of the points?"),
    _formula("ages", "time", ("a + b", "r * 3"), {"a": (2, 15, 1)},
        "{n} is {a} years old. In {b} years an aunt will be three times as old as {n} then is. "
        "How old will the aunt be?",
        "An aunt will be three times the age of {n} in {b} years. {n} is {a} now. "
        "What age will the aunt reach?",
        "Now {n} is {a}. When {b} years have passed, the aunt is three times as old. "
        "How old is the aunt then?"),
    _formula("change", "money", ("a * b", "150 - r"), {},
        "{n} buys {a} books at {b} dollars each with 150 dollars. How much change is given?",
        "From 150 dollars {n} pays for {a} books of {b} dollars. What change does {n} get?",
        "Books cost {b} dollars. {n} takes {a} and hands over 150 dollars. How much comes back?"),
    _formula("discount", "percent", ("a / 10", "a - r"), {"a": (20, 300, 10), "b": (0, 0, 1)},
        "A coat of {a} dollars is sold at 10 percent off. What does {n} pay?",
        "{n} gets 10 percent off a coat that costs {a} dollars. What is the new price?",
        "The shop takes 10 percent off the coat at {a} dollars. How much must {n} pay?"),
    _formula("boxes", "two steps", ("a + b", "r * 5"), {},
        "{n} fills {a} red boxes and {b} blue boxes with 5 shells each. How many shells are there?",
        "There are 5 shells in each of {a} red and {b} blue boxes. How many shells has {n}?",
        "Each box holds 5 shells. {n} has {a} red boxes and {b} blue boxes. Count the shells."),
    _formula("seats", "two steps", ("a * b", "r + a"), {},
        "A hall has {a} rows of {b} chairs, and one chair is added to each row. "
        "How many chairs are there?",
        "{n} sets {a} rows of {b} chairs and then puts one more in each row. "
        "How many chairs stand there?",
        "In {a} rows of {b} chairs every row gets one chair more. How many chairs is that?"),
    _formula("climb", "rates", ("a - b", "r * 4"), {"a": (14, 30, 1)},
        "A snail climbs {a} feet by day and slides {b} feet by night. How high is it after 4 days?",
        "Each day the snail of {n} climbs {a} feet and slips back {b}. How far is it in 4 days?",
        "Up {a} feet a day, down {b} feet a night: where is the snail after 4 days?"),
    _formula("recipe", "ratios", ("a * 3", "r + a"), {"a": (2, 40, 1), "b": (0, 0, 1)},
        "A drink takes 3 cups of water for each cup of juice. "
        "How many cups of drink come from {a} cups of juice?",
        "{n} mixes {a} cups of juice with 3 times as much water. How many cups of drink are there?",
        "With 3 cups of water to 1 cup of juice, how much drink does {n} make from {a} cups?"),
)  # fmt: skip
