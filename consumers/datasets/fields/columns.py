"""Find the column of each of our fields by its name, never by its position."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from consumers.datasets.fields.likeness import looks_like_rating
from consumers.datasets.options import FIELDS, ReadOptions
from consumers.datasets.problems import TableError
from consumers.events.record import Kind

NAMES: dict[str, str] = {
    "user_id": "userid user uid userno usernumber username visitorid visitor customerid customer reviewerid reviewer "
    "memberid member accountid account buyerid buyer clientid client profileid personid playerid subscriberid "
    "readerid listenerid viewerid patronid "
    "benutzerid benutzer nutzerid nutzer kundeid kunde kundenid kundennr kundennummer utilisateurid utilisateur "
    "idutilisateur idclient usuarioid usuario idusuario clienteid cliente idcliente utenteid utente idutente "
    "gebruikerid gebruiker klantid klant uzytkownik 用户id 用户 ユーザーid пользователь",
    "item_id": "itemid item iid itemno itemnumber parentasin asin movieid movie filmid bookid isbn productid product "
    "sku articleid article trackid songid videoid gameid appid businessid restaurantid newsid contentid "
    "documentid docid recipeid beerid animeid listingid offerid goodsid courseid jobid hotelid poiid venueid showid "
    "artikelid artikel artikelnr artikelnummer produktid produkt produitid produit idproduit productoid producto "
    "idproducto articuloid articulo prodottoid prodotto idprodotto produtoid produto idproduto 商品id 商品 物品id "
    "アイテムid товар",
    "domain": "domain",
    "rating": "rating ratings value overall overallrating stars star starrating score reviewscore bookrating "
    "reviewrating userrating itemrating movierating productrating ratingvalue ratingscore weight grade vote "
    "bewertung note evaluation puntuacion calificacion valoracion valutazione voto nota avaliacao beoordeling "
    "waardering ocena 评分 評価 оценка",
    "timestamp": "timestamp ts time datetime date unixreviewtime reviewtime unixtime unixtimestamp epoch eventtime "
    "eventtimestamp eventdate timestampms createdat created creationdate createtime createdtime createdate reviewdate "
    "ratingdate ratingtime ratingtimestamp ratedat purchasedate purchasetime orderdate ordertime orderedat tdat "
    "transactiondate interactiontime visittime viewtime datetimeutc timestamputc "
    "datum zeit zeitstempel zeitpunkt uhrzeit horodatage dateheure fecha fechahora marcadetiempo "
    "dataora datahora tijdstip 时间 时间戳 日時 дата время",
    "event_id": "eventid",
    "context": "context",
    "type": "type eventtype event action actiontype behavior behaviour behaviortype behaviourtype interaction "
    "interactiontype feedbacktype activitytype",
    "title": "title itemtitle itemname name productname producttitle movietitle movie film filmtitle booktitle "
    "prodname trackname songname gametitle articletitle titel titre titulo titolo nombre nom naam 标题 名称 "
    "タイトル название",
    "text": "text itemtext overview plot abstract summary blurb synopsis beschreibung detaildesc productdescription",
    "genres": "genres genre tags",
    "categories": "categories category kategorie categorie categoria",
    "features": "features",
    "description": "description descriptions desc",
    "available": "available isavailable availability instock",
    "vectors": "vectors",
}  # fmt: skip
"""The column names of each field, as `plain` writes them."""

_EVENT = ("user_id", "item_id", "domain", "rating", "timestamp", "event_id", "context", "type")
_ABOUT = ("genres", "categories", "features", "description")
_ITEM = ("item_id", "domain", "title", "text", *_ABOUT, "available", "vectors")
FIELDS_OF: dict[Kind, tuple[str, ...]] = {"interactions": _EVENT, "items": _ITEM}
"""The order in which the values of a row go to `row_parser`."""

_ALIASES = {field: tuple(names.split()) for field, names in NAMES.items()}
_KNOWN = frozenset(name for names in _ALIASES.values() for name in names)
# Layouts with both columns, where the first one counts: Amazon Reviews 2023 and 2018.
_BEFORE = {"parentasin": "asin", "unixreviewtime": "reviewtime"}
# These words are names in one kind of table and ids in the other. They count only if no other column fits.
_LAST = {"item_id": ("movie", "article", "product"), "user_id": ("username", "reviewer")}
_TYPED = re.compile(r":(token|float|token_seq|float_seq)$")  # RecBole's .inter and .item

Sample = Mapping[str, Sequence[Any]]
"""The first values of each column."""


class Columns(NamedTuple):
    """What a table holds, and the column of each field. `doubtful`: they may be events without a user."""

    kind: Kind
    fields: dict[str, str]
    unused: list[str]
    notes: list[str]
    doubtful: bool = False


def plain(name: str) -> str:
    """Return a column's name as it is compared: lower-case letters and digits, without accents and RecBole's types."""
    letters = unicodedata.normalize("NFKD", _TYPED.sub("", name.strip()).lower())
    return "".join(c for c in letters if c.isalnum())


def is_known(name: str) -> bool:
    return plain(name) in _KNOWN


def names_an_id(name: str) -> bool:
    return plain(name) in {*_ALIASES["user_id"], *_ALIASES["item_id"]}


def recognise(
    path: Path,
    names: Sequence[str],
    inner: Sequence[str],
    options: ReadOptions,
    expected: Kind | None,
    sample: Sample,
) -> Columns:
    """Find the columns of the fields. `inner`: names such as user.id, used only if `options` name them.

    Raises TableError if a needed field is missing, or if two columns fit.
    """
    there = {"", *names, *inner}
    mapped = {field: column for field, column in options.columns.items() if column in there}
    fields = {field: column for field, column in mapped.items() if column}
    doubtful: dict[str, list[str]] = {}
    taken = set(fields.values())
    for field in FIELDS:
        if field not in mapped:
            found = _candidates(field, [name for name in names if name not in taken])
            if len(found) == 1:
                fields[field] = found[0]
            elif found:
                doubtful[field] = sorted(found, key=list(names).index)
    if "item_id" in fields and fields.get("title") == fields["item_id"]:
        del fields["title"]  # a lone column `movie` is the id
    kind = _kind(path, fields, doubtful, expected, names)
    wanted = FIELDS_OF[kind]
    as_event = fields.keys() & {"rating", "timestamp"} if kind == "items" and expected is None else set()
    _refuse_doubt(path, {field: found for field, found in doubtful.items() if field in wanted}, options, kind)
    fields = {field: fields[field] for field in wanted if field in fields}
    notes = [
        f"no column tells the user, so these are items; a {field} is not used" for field in sorted(as_event)
    ]
    if kind == "interactions":
        notes = _of_interactions(path, fields, names, options, sample)
    used = {column.partition(".")[0] if column in inner else column for column in fields.values()}
    return Columns(kind, fields, [name for name in names if name not in used], notes, bool(as_event))


def _candidates(field: str, names: Sequence[str]) -> list[str]:
    """Return the columns that may hold `field`: the one with its name, else all with one of its other names."""
    by_plain: dict[str, list[str]] = {}
    for name in names:
        by_plain.setdefault(plain(name.partition("#")[0]), []).append(name)
    own = plain(field)
    if own in by_plain:
        return by_plain[own]
    usual = {alias: by_plain[alias] for alias in _ALIASES[field] if alias in by_plain}
    for first, second in _BEFORE.items():
        if first in usual:
            usual.pop(second, None)
    for weak in _LAST.get(field, ()):
        if len(usual) > 1:
            usual.pop(weak, None)
    return [name for found in usual.values() for name in found]


def _kind(
    path: Path,
    fields: Mapping[str, str],
    doubtful: Mapping[str, list[str]],
    expected: Kind | None,
    names: Sequence[str],
) -> Kind:
    there = fields.keys() | doubtful.keys()
    if {"item_id", "user_id"} <= there:
        return "interactions"
    about = there & {"title", "text", *_ABOUT}
    like_events = expected == "interactions" and there & {"rating", "timestamp"}
    if "item_id" in there and (expected == "items" or (about and not like_events)):
        return "items"
    lacking = [] if "item_id" in there else ["item_id"]
    if expected != "items" and "user_id" not in there:
        lacking.append("user_id")
    advice = " ".join(f"--map {field}=COLUMN" for field in lacking)
    either = (
        "; a user only if these are interactions" if about else ", or --map title=COLUMN if these are items"
    )
    raise TableError(
        f"{path}: no column for {' and '.join(lacking)} among {', '.join(names[:30])}; name the columns: "
        f"{advice}{'' if expected else either}"
    )


def _refuse_doubt(path: Path, doubtful: Mapping[str, list[str]], options: ReadOptions, kind: Kind) -> None:
    for field, found in doubtful.items():
        if (field == "rating" and options.as_clicks) or (field == "timestamp" and options.no_time):
            continue
        if field in ("title", "text", *_ABOUT) and kind == "interactions":
            continue
        raise TableError(
            f"{path}: {' and '.join(found)} can both be the {field}: say which, as in --map {field}={found[0]}"
        )


def _of_interactions(
    path: Path, fields: dict[str, str], names: Sequence[str], options: ReadOptions, sample: Sample
) -> list[str]:
    """Decide on rating and time, the fields that matter most. Return what to say about them. Raises TableError."""
    notes = []
    left = [name for name in names if name not in fields.values()]
    if options.no_time:
        if column := fields.pop("timestamp", None):
            notes.append(f"--no-time: column {column} is not read; every row gets the present time")
    elif "timestamp" not in fields:
        advice = "add a column with times"
        if left:
            advice = f"left are {', '.join(left[:30])}: name it, as in --map timestamp={left[0]}"
        raise TableError(
            f"{path}: no column tells the time; {advice}, or --no-time to give every row the present time"
        )
    if options.as_clicks:
        if column := fields.pop("rating", None):
            notes.append(f"--as-clicks: column {column} is not read; every row is a click")
    elif "rating" not in fields and "type" not in fields:
        for name in left:
            if (likeness := looks_like_rating(name, sample.get(name, ()))) is not None:
                raise TableError(
                    f"{path}: no column is known as the rating, but {name} looks like one: {likeness}; if every row is "
                    "a click all the same: --as-clicks"
                )
    return notes
