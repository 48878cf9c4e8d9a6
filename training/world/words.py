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
    Boston Chicago Sydney Toronto Geneva
""".split()
NAMES = """
    Anna Peter Maria David Thomas Emma Daniel Sofia Julia Robert Alice Michael Oliver Henry Laura
""".split()

SPELLABLE = """
    cat dog moon bus tree book fish milk bread apple house water table chair river paper stone tiger
    cloud happy robot train queen king snow ship foot nose face lamp ball cake lion bear wolf goat
    fire city lake hill jump quick zebra voice sound speak server
""".split()

_OTHERS = """
    after airport always baby baker banana beach beautiful before behind believe between black
    blanket blue bottle brave breakfast bring brother brown bucket build busy calm camera candle
    carrot castle cheese child church clever climb close coffee cook copper dance desert diamond
    different dinner doctor dream drink early eat empty engine evening family father finish flower
    forest forget fork fresh friend gentle give guitar hammer heavy help hotel important jacket
    kitchen knife large laugh lazy lemon little lose lunch market maybe melon mirror mother mountain
    never number office often onion open orange over paint peach pencil person piano picture pillow
    pink planet plate pocket poem possible potato proud purple push quiet radio rainbow rice run
    salad school shadow silver sister sleep small song soup start station storm story sugar sunshine
    sweet swim take teacher thunder ticket today together tomato tomorrow travel turn uncle
    understand valley violin visit wait walk wallet warm watch win window winter wonderful work
    yellow yesterday
""".split()
REPEATABLE = sorted({*SPELLABLE, *_OTHERS})
"""Words that no other word of this world sounds much like."""

JOKE_LINES = (
    "Why did the robot go home? It was out of power.",
    "What is a cat's favourite colour? Purr purple.",
    "Why was six afraid of seven? Because seven ate nine.",
    "What do you call a bear with no teeth? A gummy bear.",
    "Why is the sea never bored? It always waves.",
)
