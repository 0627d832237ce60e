"""What the names of columns and files say of their roles, in the many spellings of logs."""

from __future__ import annotations

import keyword
import re


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_ITEMS = _words(
    "item product article movie film video photo song track artist album book news ad goods poi location",
    "venue business content doc document listing offer game recipe anime post note hotel creative sku",
)
_ROLES = {
    "user_id": _words(
        "user userid uid visitor visitorid customer customerid client clientid member memberid reviewer",
        "reviewerid account accountid buyer buyerid person personid viewer viewerid listener listenerid",
        "cookie cookieid",
    ),
    "item_id": _words("iid asin parentasin isbn", *_ITEMS, *(f"{word}id" for word in _ITEMS)),
    "time": _words(
        "timestamp timestampms ts time timems datetime date dt eventtime eventtimestamp createdat",
        "createdtime ctime unixtime unixtimestamp unixreviewtime clicktime logtime servertime visittime",
        "ratingtime",
    ),
    "position": _words("position pos rank slot displayposition placement"),
    "propensity": _words("propensity pscore propensityscore"),
    "session_id": _words("session sessionid sid visitid"),
    "request_id": _words("request requestid reqid impressionid queryid pageviewid slateid searchid"),
    "behaviour": _words(
        "behaviour behavior behaviourtype behaviortype event eventtype eventname action actiontype",
        "actionname activity interaction interactiontype",
    ),
}
_USERS = _words("user users customer customers visitor visitors member members people account accounts")
_THINGS = _ITEMS | {f"{word}s" for word in _ITEMS} | _words("meta catalog catalogue businesses")

RATINGS = _words("rating ratings stars star score overall rate grade reviewoverall")
TITLES = _words("title name productname movietitle itemname headline")
WATCHED = _words(
    "playms playtime playtimems playduration watchtime watchms watchduration playingtime dwelltime"
)
LENGTHS = _words("durationms duration videoduration videolength length lengthms runtime videodurationms")
MOMENT = _words(
    "device devicetype os browser platform country city region language channel source tab page app appid",
    "network hour weekday dayofweek isrand referrer locale campaign campaignid scene",
)
EXPOSURES = _words("impression impressions exposure exposed show shown display")
NEGATIVES = _words("dislike hate skip notinterested report negative unlike block")
BEHAVIOURS = _words(
    *EXPOSURES,
    *NEGATIVES,
    "click clicked view viewed longview like liked favorite favourite fav collect collected save saved share",
    "shared forward follow followed comment commented cart addtocart buy bought purchase purchased",
    "transaction order conversion converted install download finish finished watch watched read subscribe",
    "profileenter pv",
)


def compact(name: str) -> str:
    """A name without case, spaces and signs, and without the type that RecBole writes after it."""
    return re.sub(r"[\W_]+", "", name.partition(":")[0]).lower()


def role_of(name: str) -> str:
    """The role that a column's name says, empty for none."""
    return next((role for role, words in _ROLES.items() if compact(name) in words), "")


def about(file: str) -> str:
    """`users` or `items` if a file's name says that it is about them, empty otherwise."""
    words = set(re.findall(r"[a-z]+", file.lower()))
    return "users" if words & _USERS else "items" if words & _THINGS else ""


def behaviour_of(name: str) -> str:
    """`click` for a column such as `is_click`, empty if it is named like no behaviour."""
    short = re.sub(r"^(is|has|did)_?|_?(flag|label)$", "", snake(name))
    return short if compact(short) in BEHAVIOURS else ""


def snake(name: str) -> str:
    """A name as an expression and a YAML key can hold it."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.partition(":")[0])
    text = re.sub(r"\W+", "_", text).strip("_").lower() or "column"
    return f"{text}_" if keyword.iskeyword(text) or text[0].isdigit() else text
