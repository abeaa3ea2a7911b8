"""Which of the encodings of the Latin alphabet a text has: told by the letters that languages have.

These encodings take nearly any byte, so only the letters tell them apart: `Łódź` of one is `£ódŸ` of another. A few
names have to be enough, where counting how often letters meet needs pages.

Invariant: of equals the more widely used language wins, the same for every file.
"""

import re

_LANGUAGES: tuple[tuple[str, str], ...] = (
    ("cp1252", "äöüßÄÖÜ"),  # German
    ("cp1252", "àâæçéèêëîïôœùûüÿÀÂÆÇÉÈÊËÎÏÔŒÙÛÜ"),  # French
    ("cp1252", "áéíñóúüÁÉÍÑÓÚÜ"),  # Spanish
    ("cp1252", "áâãàçéêíóôõúÁÂÃÀÇÉÊÍÓÔÕÚ"),  # Portuguese
    ("cp1252", "àèéìíîòóùúÀÈÉÌÍÎÒÓÙÚ"),  # Italian
    ("cp1252", "åäöéÅÄÖÉ"),  # Swedish, Finnish
    ("cp1252", "æøåéÆØÅÉ"),  # Danish, Norwegian
    ("cp1252", "àçèéíïòóúüÀÇÈÉÍÏÒÓÚÜ"),  # Catalan
    ("cp1252", "áéëïóöüèêíúÁÉËÏÓÖÜ"),  # Dutch
    ("cp1250", "ąćęłńóśźżĄĆĘŁŃÓŚŹŻ"),  # Polish
    ("cp1250", "áčďéěíňóřšťúůýžÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ"),  # Czech
    ("cp1254", "çğıöşüâîûÇĞİÖŞÜÂÎÛ"),  # Turkish
    ("cp1250", "áéíóöőúüűÁÉÍÓÖŐÚÜŰ"),  # Hungarian
    ("cp1250", "ăâîşţĂÂÎŞŢ"),  # Romanian
    ("cp1250", "áäčďéíĺľňóôŕšťúýžÁÄČĎÉÍĹĽŇÓÔŔŠŤÚÝŽ"),  # Slovak
    ("cp1250", "čćđšžČĆĐŠŽ"),  # Croatian, Slovenian
    ("cp1257", "ąčęėįšųūžĄČĘĖĮŠŲŪŽ"),  # Lithuanian
    ("cp1257", "āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽ"),  # Latvian
    ("cp1257", "äõöüšžÄÕÖÜŠŽ"),  # Estonian
    ("cp1252", "áðéíóúýþæöÁÐÉÍÓÚÝÞÆÖ"),  # Icelandic
)
"""The letters besides a to z of each language; the more widely used first."""
LATIN = frozenset(encoding for encoding, _ in _LANGUAGES)
_ROUND_WORDS = frozenset("’‘“”„‚«»‹›–—…¿¡·ªº°\xa0€®™©")
"""Signs that may touch a word on one side; others stand by themselves."""
_SAMPLE = 4_000


def latin_encoding(sample: bytes, *, least: float) -> str:
    """Return the Latin encoding of the language whose letters a sample has, or nothing when none fits.

    `least` is the share of what is not ASCII that has to be of the language.
    """
    best, found = 0.0, ""
    places = {encoding: _places(sample.decode(encoding, "replace")) for encoding in LATIN}
    for encoding, letters in _LANGUAGES:
        seen = places[encoding]
        share = sum(_fits(*place, letters) for place in seen) / len(seen) if seen else 0.0
        if share > best:
            best, found = share, encoding
    return found if best >= least else ""


def _places(text: str) -> list[tuple[str, str, str]]:
    """Return the characters that are not ASCII, each between the one before and the one behind it."""
    padded = f" {text} "
    found = list(re.finditer(r"[^\x00-\x7f]", padded))[:_SAMPLE]
    return [(padded[match.start() - 1], match[0], padded[match.end()]) for match in found]


def _fits(before: str, sign: str, behind: str, letters: str) -> bool:
    """Tell whether a character is a letter of a language, or a sign that stands where signs do."""
    if sign.isalpha() and sign not in "ªº":
        # A small letter is not followed by a large one inside a word: `Gdañsk` may be one, `£ódŸ` is none.
        if sign in "õÕ" and "ã" in letters:
            # Portuguese has it in `ões` only; what stands elsewhere is the ő of Hungarian.
            return behind in ("e", "E")
        return sign in letters and not (sign.isupper() and before.islower())
    beside = before.isalpha(), behind.isalpha()
    return sign == "’" or not (all(beside) if sign in _ROUND_WORDS else any(beside))
