"""What the forms of a word share: its stem, as Snowball finds it. Function words have none."""

import unicodedata
from functools import lru_cache

from manera.text.languages import script
from manera.text.words import words

_RUSSIAN = """
а без более больше будет будто бы был была были было быть в вам вами вас ваш ваша ваше ваши во вообще вот все всего
всегда всем всеми всех всю вся всё где да даже для до его ее еще ещё её если есть же за зачем здесь и из или им ими их
к как какая какие какой какую когда кого ком кому которая которое которой которые который которых кто ли лишь меня мне
мной мог могу может можно мой моя моё мое мои мы на над надо нам нами нас наш наша наше наши не него нее неё ней
нельзя нет ни нибудь никак никто ничего ничто но ну о об один одна однако он она они оно от очень по под после потом
потому почему при про просто раз разве с сам сама сами само свой своя свою свое своё свои себе себя сейчас со совсем
так такая такие такой такое такую там тебе тебя тем теперь то тобой тогда того тоже той только том тому тот тою ту тут
ты твой твоя твоё твое твои у уж уже хотя чего чей чем через что чтоб чтобы чья эта эти этим этих это этого этой этом
этому этот эту я ага угу
"""
_ENGLISH = """
a about after again all also am an and any are aren't as at be because been before being but by can can't could
couldn't did didn't do does doesn't doing don't for from get got had has hasn't have haven't having he her here hers
him his how i i'd i'll i'm i've if in into is isn't it it's its just let's me more my myself no nor not now of off oh
ok okay on once only or other our out over really she should so some such than that that's the their them then there
there's these they they're this those to too up us very was wasn't we we're well were what what's when where which
while who whom why will with won't would wouldn't yeah yes you you're your yours
"""
FUNCTION_WORDS = frozenset((_RUSSIAN + _ENGLISH).split())


def content_stems(text: str) -> list[str]:
    """Return the stem of each word of a text that is no function word: Russian of Cyrillic words, English of others."""
    composed = unicodedata.normalize("NFC", text).replace("’", "'")
    return [_stem(word) for word in words(composed) if word not in FUNCTION_WORDS]


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    from Stemmer import Stemmer

    # a stemmer may not be shared by threads, and is made in a microsecond
    return str(Stemmer("russian" if script(word[0]) == "CYRILLIC" else "english", 0).stemWord(word))
