"""Words of nano's world: the ones it repeats, spells, names and rejects."""

from __future__ import annotations

NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen
""".split()
TENS = """
    twenty thirty forty fifty sixty seventy eighty ninety
""".split()
ORDINALS = """
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
""".split()

DAYS = """
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday
""".split()
MONTHS = """
    January February March April May June July August September October November December
""".split()
MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SEASONS = ("spring", "summer", "autumn", "winter")

COLOUR_OF = {
    "grass": "green", "the sky": "blue", "snow": "white", "a banana": "yellow", "blood": "red",
    "coal": "black", "an orange": "orange", "the sun": "yellow", "a carrot": "orange",
    "milk": "white", "a tomato": "red", "a leaf": "green", "chocolate": "brown",
    "a lemon": "yellow", "the sea": "blue", "a flamingo": "pink", "an elephant": "grey",
    "a strawberry": "red", "a frog": "green",
}  # fmt: skip
MIXES = {
    ("red", "blue"): "purple", ("red", "yellow"): "orange", ("blue", "yellow"): "green",
    ("red", "white"): "pink", ("black", "white"): "grey",
}  # fmt: skip

OPPOSITES = (
    ("hot", "cold"), ("big", "small"), ("fast", "slow"), ("day", "night"), ("happy", "sad"),
    ("up", "down"), ("left", "right"), ("open", "closed"), ("new", "old"), ("light", "dark"),
    ("hard", "soft"), ("full", "empty"), ("early", "late"), ("long", "short"), ("loud", "quiet"),
    ("rich", "poor"), ("strong", "weak"), ("wet", "dry"), ("high", "low"), ("good", "bad"),
)  # fmt: skip
ANIMAL_SOUNDS = {
    "cow": "moo", "dog": "woof", "cat": "meow", "duck": "quack", "sheep": "baa", "lion": "roar",
    "pig": "oink", "bee": "buzz", "owl": "hoot", "mouse": "squeak",
}  # fmt: skip
CAPITALS = {
    "France": "Paris", "Germany": "Berlin", "Italy": "Rome", "Spain": "Madrid", "England": "London",
    "Japan": "Tokyo", "China": "Beijing", "Egypt": "Cairo", "Greece": "Athens", "Norway": "Oslo",
    "Austria": "Vienna", "Russia": "Moscow", "Portugal": "Lisbon", "Ireland": "Dublin",
}  # fmt: skip
CITIES = """
    Paris Berlin Rome Madrid London Tokyo Beijing Cairo Athens Oslo Vienna Moscow Lisbon Dublin
    Boston Chicago Dallas Denver Sydney Toronto Munich Zurich Milan Geneva
""".split()
NAMES = """
    Anna Peter Maria David Laura Thomas Emma Daniel Sofia Martin Julia Robert Alice Michael Linda
    Simon Nina Oliver Clara Henry
""".split()

SPELLABLE = """
    cat dog sun moon car bus tree book fish bird milk bread apple house water green table chair
    river music paper stone tiger horse money world light night cloud happy robot train plane queen
    king snow rain ship star door hand foot nose face lamp ring ball cake frog lion bear wolf goat
    duck gold iron wood fire road city town farm lake hill sand salt wind jump quick zebra voice
    sound speak server
""".split()

_OTHERS = """
    after airport always answer baby baker banana basket beach beautiful before behind believe
    between bitter black blanket blue bottle brave breakfast bridge bring brother brown bucket build
    busy butter button buy calm camera candle carrot carry castle cheese cherry child church clean
    clever climb close coffee cook cool copper dance desert diamond different dinner dirty doctor
    draw dream drink drum early eat empty engine evening family farmer father find finish flower
    follow forest forget fork fresh friend funny garden gentle give glass grape grey guitar hammer
    heavy help hotel important island jacket keep kitchen knife large late laugh lazy learn lemon
    letter listen little lose loud lunch market maybe melon mirror morning mother mountain never
    number ocean office often onion open orange over paint peach pencil people pepper person piano
    picture pillow pink planet plate play pocket poem possible potato proud pull purple push quiet
    radio rainbow read red remember rice rocket run salad school sell send shadow shirt silver sing
    sister sleep small smile song soup spoon start station storm story sugar summer sunshine sweet
    swim take teach teacher think thunder ticket today together tomato tomorrow travel turn uncle
    under understand valley violin visit wait walk wallet warm watch wheel white win window winter
    wonderful work write yellow yesterday
""".split()
REPEATABLE = sorted({*SPELLABLE, *_OTHERS})

JOKE_LINES = (
    "Why did the robot go home? It was out of power.",
    "What is a cat's favourite colour? Purr purple.",
    "Why was six afraid of seven? Because seven ate nine.",
    "What do you call a bear with no teeth? A gummy bear.",
    "Why is the sea never bored? It always waves.",
)
