"""Passwords that are guessed first, however long they are."""

from __future__ import annotations

import re

_KEYBOARD = (
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "yxcvbnm",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv",
    "1q2w3e4r5t6y",
)
_SERIES = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", *_KEYBOARD)
_TRIED_FIRST = """
password passwort passwd pass login logon admin administrator root user guest welcome willkommen bienvenue letmein
iloveyou sunshine princess football baseball basketball superman batman monkey dragon master shadow michael jennifer
jordan hunter soccer starwars pokemon whatever trustno secret geheim hallo hello hola bonjour test testing changeme
default temp temporary qwerty qwertz azerty computer internet server service hospital klinik clinic krankenhaus
radiology radiologie radiologist doctor doktor nurse patient tumour tumor brain glioma bratsseg brats mri scan scanner
spring summer autumn winter january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday company office work home mypassword yourpassword the my your
new old one two love god jesus money freedom flower cheese cookie
"""
_WORDS = frozenset(re.findall(r"\w+", _TRIED_FIRST))
_LEET = str.maketrans("0134578@$!|€", "oleastbasiie")
_LEAST_SIGNS = 5


def weakness(password: str, name: str = "") -> str | None:
    """Why a password is guessed soon, as what it must be; None when nothing speaks against it."""
    plain = password.casefold()
    if len(set(plain)) < _LEAST_SIGNS:
        return f"must have at least {_LEAST_SIGNS} different characters"
    if _is_repeated(plain):
        return "must not be one short text again and again"
    if any(_in_order(plain, series) for series in _SERIES):
        return "must not be a row of letters, digits or keys"
    left = _without_words(plain, name.casefold())
    if len(left) < _LEAST_SIGNS:
        return "must be more than the user's name, common words, digits and years"
    return None


def _is_repeated(plain: str) -> bool:
    return (plain + plain).find(plain, 1) < len(plain)


def _in_order(plain: str, series: str) -> bool:
    """True for a piece of a series, forwards or backwards, with little else."""
    letters = re.sub(r"[\W_]+", "", plain)
    long = (series[start:end] for start in range(len(series)) for end in range(start + 6, len(series) + 1))
    found = max((len(part) for part in long if part in letters or part[::-1] in letters), default=0)
    return len(letters) - found < _LEAST_SIGNS


def _without_words(plain: str, name: str) -> str:
    """What is left of a password without the words everybody tries, in any common disguise, and without digits."""
    words = sorted({*_WORDS, *(part for part in re.split(r"[\W_\d]+", name) if len(part) > 2)}, key=len, reverse=True)
    shortest = plain
    for text in (plain, plain.translate(_LEET)):
        left = text
        for word in words:
            left = left.replace(word, " ") if len(word) > 3 else re.sub(rf"\b{word}\b", " ", left)
        left = re.sub(r"[\W\d_]+", "", left)
        shortest = min(shortest, left, key=len)
    return shortest
