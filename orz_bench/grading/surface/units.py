r"""Units of measurement as a factor and dimensions, so that 3 hours equal 180 minutes.

`read_unit` takes canonical text such as `\text{km}/\text{h}`; None if a word is not a unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

_TABLE = """
length   | 1         | m meter meters metre metres
length   | 1/100     | cm centimeter centimeters centimetre centimetres cms
length   | 1/1000    | mm millimeter millimeters millimetre millimetres
length   | 1000      | km kilometer kilometers kilometre kilometres kms
length   | 1/10      | dm decimeter decimeters decimetre decimetres
length   | 1/10^6    | um micron microns micrometer micrometers micrometre micrometres
length   | 1/10^9    | nm nanometer nanometers nanometre nanometres
length   | 1/10^10   | angstrom angstroms
length   | 127/5000  | in inch inches
length   | 381/1250  | ft foot feet
length   | 1143/1250 | yd yds yard yards
length   | 201168/125 | mi mile miles
length   | 149597870700 | AU au
length   | 9460730472580800 | ly lightyear lightyears
length   | 30856775814913673 | pc parsec parsecs
length   | 30856775814913673000000 | Mpc
mass     | 1         | kg kilogram kilograms kilo kilos kgs
mass     | 1/1000    | g gram grams gm gms
mass     | 1/10^6    | mg milligram milligrams
mass     | 1000      | tonne tonnes
mass     | 45359237/100000000 | lb lbs pound pounds
mass     | 45359237/1600000000 | oz ounce ounces
mass     | 90718474/100000 | ton tons
time     | 1         | s sec secs second seconds
time     | 1/1000    | ms millisecond milliseconds
time     | 1/10^6    | us microsecond microseconds
time     | 1/10^9    | ns nanosecond nanoseconds
time     | 60        | min mins minute minutes
time     | 3600      | h hr hrs hour hours
time     | 86400     | d day days
time     | 604800    | week weeks wk wks
time     | 31557600  | yr yrs year years
time     | 2629800   | month months
time     | 315576000 | decade decades
time     | 3155760000 | century centuries
volume   | 1/1000    | L l liter liters litre litres
volume   | 1/10^6    | mL ml milliliter milliliters millilitre millilitres cc
volume   | 473176473/125000000000 | gal gallon gallons
volume   | 473176473/500000000000 | qt quart quarts
volume   | 473176473/1000000000000 | pt pint pints
volume   | 473176473/2000000000000 | cup cups
area     | 10000     | ha hectare hectares
area     | 316160658/78125 | acre acres
speed    | 1397/3125 | mph
speed    | 5/18      | kmh kmph kph
speed    | 463/900   | knot knots
energy   | 1         | J joule joules
energy   | 1000      | kJ kilojoule kilojoules
energy   | 1/10^7    | erg ergs
energy   | 4184/1000 | cal
energy   | 4184      | kcal
energy   | 1602176634/10^28 | eV
energy   | 1602176634/10^25 | keV
energy   | 1602176634/10^22 | MeV
energy   | 1602176634/10^19 | GeV
energy   | 3600      | Wh
energy   | 3600000   | kWh
power    | 1         | W watt watts
power    | 1000      | kW kilowatt kilowatts
power    | 1000000   | MW megawatt megawatts
force    | 1         | N newton newtons
force    | 1000      | kN
force    | 1/100000  | dyn dyne dynes
pressure | 1         | Pa pascal pascals
pressure | 1000      | kPa
pressure | 1000000   | MPa
pressure | 1000000000 | GPa
pressure | 100000    | bar bars
pressure | 101325    | atm
frequency | 1        | Hz hertz
frequency | 1000     | kHz
frequency | 1000000  | MHz
frequency | 1000000000 | GHz
charge   | 1         | C coulomb coulombs
current  | 1         | A amp amps ampere amperes
current  | 1/1000    | mA
voltage  | 1         | V volt volts
voltage  | 1/1000    | mV
voltage  | 1000      | kV
resistance | 1       | ohm ohms Omega
resistance | 1000    | kohm
capacity | 1         | F farad farads
field    | 1         | T tesla teslas
field    | 1/10000   | G gauss
temperature | 1      | K kelvin kelvins
celsius  | 1         | celsius
fahrenheit | 1       | fahrenheit
amount   | 1         | mol mole moles
amount   | 1/1000    | mmol
concentration | 1    | M molar
light    | 1         | lm lumen lumens
angle    | 1         | deg degree degrees
radians  | 1         | rad rads radian radians
arc      | 1         | arcsec arcsecond arcseconds
dollars  | 1         | dollar dollars USD usd bucks buck
dollars  | 1/100     | cent cents penny pennies
euros    | 1         | euro euros EUR
sterling | 1         | sterling GBP quid
yen      | 1         | yen JPY
rupees   | 1         | rupee rupees Rs rs INR
yuan     | 1         | yuan RMB CNY
pesos    | 1         | peso pesos
data     | 1         | bit bits
data     | 8         | byte bytes
data     | 8000      | kB KB
data     | 8000000   | MB
data     | 8000000000 | GB
sun      | 1         | Msun
"""
GENERIC = "unit"
_GENERIC_WORDS = ("unit", "units")
_DERIVED = {
    "volume": {"length": 3}, "area": {"length": 2}, "speed": {"length": 1, "time": -1}, "frequency": {"time": -1},
    "energy": {"mass": 1, "length": 2, "time": -2}, "power": {"mass": 1, "length": 2, "time": -3},
    "force": {"mass": 1, "length": 1, "time": -2}, "pressure": {"mass": 1, "length": -1, "time": -2},
    "charge": {"current": 1, "time": 1}, "voltage": {"mass": 1, "length": 2, "time": -3, "current": -1},
    "resistance": {"mass": 1, "length": 2, "time": -3, "current": -2},
}  # fmt: skip
_PREFIX_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_SUFFIX_POWERS = {"squared": 2, "cubed": 3}
_SPELLED = (
    (re.compile(r"\\text\{pounds?\}\s*\\text\{sterling\}"), r"\\text{sterling}"),
    (re.compile(r"\^\{\\circ\}\s*\\text\{(?:C|celsius|Celsius)\}"), r"\\text{celsius}"),
    (re.compile(r"\^\{\\circ\}\s*\\text\{(?:F|fahrenheit|Fahrenheit)\}"), r"\\text{fahrenheit}"),
    (re.compile(r"\\text\{degrees?\}\s*\\text\{(celsius|fahrenheit)\}", re.IGNORECASE), r"\\text{\1}"),
    (re.compile(r"\^\{\\circ\}"), r"\\text{deg}"),
    (re.compile(r"\\Omega(?![a-zA-Z])"), r"\\text{ohm}"),
)
"""Units of several words, or written with symbols, as one word."""
_BARE = frozenset(
    (
        "cm",
        "mm",
        "km",
        "kg",
        "ft",
        "lb",
        "lbs",
        "oz",
        "mL",
        "ml",
        "mph",
        "kmph",
        "kph",
        "km",
        "kJ",
        "kW",
        "kWh",
        "kPa",
        "Hz",
        "kHz",
        "MHz",
        "GHz",
        "nm",
        "cms",
        "kms",
        "hrs",
        "hr",
        "mins",
        "yds",
        "gm",
        "dm",
        "kmh",
        "cc",
        "eV",
        "MeV",
        "keV",
    )
)
"""Recognised directly after a digit, without a space: none of them is likely to be a product of variables."""
_PIECE = re.compile(r"\s*(?:\\text\{([^{}]*)\}|(/)|(\\cdot|\\times)(?![a-z])|\^\{(-?\d)\}|([()])|([A-Za-z]))\s*")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its size in the table's base units, and the power of each dimension."""

    factor: Fraction
    dimensions: tuple[tuple[str, int], ...]

    @property
    def is_generic(self) -> bool:
        """Whether this is just "units"."""
        return all(name == GENERIC for name, _ in self.dimensions)

    def times(self, other: Unit, power: int) -> Unit:
        """This unit multiplied by a power of another."""
        dimensions = dict(self.dimensions)
        for name, exponent in other.dimensions:
            dimensions[name] = dimensions.get(name, 0) + exponent * power
        return Unit(
            self.factor * other.factor**power,
            tuple(sorted((name, exponent) for name, exponent in dimensions.items() if exponent)),
        )


ONE = Unit(Fraction(1), ())


def names() -> frozenset[str]:
    """All unit words of at least two letters, in lower case."""
    return _all_names()


def is_bare_unit(run: str) -> bool:
    """Whether letters directly after a digit are a unit even without a space."""
    return run in _BARE or (len(run) > 3 and run in _units())


def is_unit(word: str) -> bool:
    """Whether this one word is a unit."""
    return _unit_of(word) is not None


def read_unit(text: str) -> Unit | None:
    """The unit that this whole canonical text denotes, or None."""
    for pattern, word in _SPELLED:
        text = pattern.sub(word, text)
    reader, place, text = _Reader(), 0, text.strip()
    while place < len(text):
        found = _PIECE.match(text, place)
        if found is None or not reader.take(found):
            return None
        place = found.end()
    return reader.unit if text and reader.power == 1 else None


@dataclass(slots=True)
class _Reader:
    """A product of units, one piece after the other."""

    unit: Unit = ONE
    last: Unit = ONE
    """The unit read last, with its sign, which an exponent after it raises."""
    power: int = 1
    """Exponent of the next unit: 2 after "square"."""
    sign: int = 1
    in_brackets: bool = False

    def take(self, piece: re.Match[str]) -> bool:
        """Read one piece. Returns whether it can be part of a unit."""
        word, slash, dot, exponent, bracket, letter = piece.groups()
        if slash or word == "per":
            self.sign = -1
        elif exponent is not None:
            self._raise(int(exponent))
        elif bracket:
            self.in_brackets = bracket == "("
        elif dot is None:
            return self._multiply(word or (letter if self.sign < 0 else None) or "")
        return True

    def _multiply(self, word: str) -> bool:
        if word in _PREFIX_POWERS:
            self.power = _PREFIX_POWERS[word]
        elif word in _SUFFIX_POWERS:
            self._raise(_SUFFIX_POWERS[word])
        elif (found := _unit_of(word)) is not None:
            self.last = ONE.times(found, self.power * self.sign)
            self.unit = self.unit.times(self.last, 1)
            self.power, self.sign = 1, self.sign if self.in_brackets else 1
        else:
            return False
        return True

    def _raise(self, exponent: int) -> None:
        self.unit, self.last = self.unit.times(self.last, exponent - 1), ONE


@lru_cache(maxsize=1)
def _units() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for line in _TABLE.strip().splitlines():
        dimension, factor, words = (part.strip() for part in line.split("|"))
        dimensions = _DERIVED.get(dimension, {dimension: 1})
        unit = Unit(_fraction(factor), tuple(sorted(dimensions.items())))
        table |= dict.fromkeys(words.split(), unit)
    return table | dict.fromkeys(_GENERIC_WORDS, Unit(Fraction(1), ((GENERIC, 1),)))


def _fraction(text: str) -> Fraction:
    top, _, bottom = text.partition("/")
    base, _, power = bottom.partition("^")
    return Fraction(int(top), (int(base) ** int(power) if power else int(base)) if bottom else 1)


def _unit_of(word: str) -> Unit | None:
    table = _units()
    found = table.get(word)
    return found if found is not None or len(word) < 3 else table.get(word.lower())


@lru_cache(maxsize=1)
def _all_names() -> frozenset[str]:
    words = {word.lower() for word in _units() if len(word) > 1}
    return frozenset(
        words | set(_PREFIX_POWERS) | set(_SUFFIX_POWERS) | {"per", "percent", "percentage", "pct", "squares"}
    )
