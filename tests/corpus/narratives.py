"""XHTML in narratives."""

# ruff: noqa: E501 - markup is easier to read on one line

from __future__ import annotations

from typing import Final

from tests.corpus.bases import PATIENT, XHTML, div
from tests.corpus.cases import Case, Draft, bad, good, group

_RIGHT: Final = {
    "paragraphs": "<p>Ada</p><p>Berg</p>",
    "only text": "Ada Berg",
    "headings": "<h1>A</h1><h2>B</h2><h6>C</h6>",
    "lists": "<ul><li>a</li></ul><ol><li>b</li></ol><dl><dt>c</dt><dd>d</dd></dl>",
    "a table": '<table border="1"><thead><tr><th colspan="2">A</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr>'
    "</tbody></table>",
    "a caption and columns": "<table><caption>C</caption><colgroup><col/></colgroup><tbody><tr><td>1</td></tr></tbody></table>",
    "phrases": "<p><b>a</b><i>b</i><em>c</em><strong>d</strong><small>e</small><sub>f</sub><sup>g</sup><tt>h</tt></p>",
    "more phrases": "<p><code>a</code><kbd>b</kbd><samp>c</samp><var>d</var><cite>e</cite><q>f</q><dfn>g</dfn></p>",
    "a link": '<a href="http://spital.example/">x</a>',
    "a link inside": '<p><a name="x"/><a href="#x">up</a></p>',
    "an image": '<img src="http://spital.example/a.png" alt="A"/>',
    "an image of contained data": '<img src="#pic" alt="A"/>',
    "style": '<p style="color: red" class="note" id="n" title="T">x</p>',
    "language": '<p lang="de" xml:lang="de" dir="ltr">x</p>',
    "breaks": "a<br/>b<hr/>c",
    "preformatted": "<pre>a  b</pre><blockquote>c</blockquote>",
    "entities of XML": "a &lt; b &amp; c &gt; d &quot;e&apos;",
    "numeric entities": "&#160;&#xA0;x",
    "a comment": "<!-- note --><p>x</p>",
    "a span": "<span>x</span>",
    "nested": "<div><div><p>x</p></div></div>",
    "other writing": "<p>Ünïcödé 漢字 🙂</p>",
    "only an image": '<img src="#pic" alt="A"/>',
}
_WRONG: Final = {
    "a script": "<script>alert(1)</script>",
    "a script with nothing": '<script src="http://evil.example/x.js"/><p>x</p>',
    "a form": '<form action="http://evil.example/"><input type="text"/></form>',
    "an input": '<p><input type="text"/>x</p>',
    "a button": "<button>x</button>",
    "a select": "<select><option>x</option></select>",
    "a text area": "<textarea>x</textarea>",
    "a frame": '<iframe src="http://evil.example/">x</iframe>',
    "an object": '<object data="x">x</object>',
    "an embed": '<embed src="x"/>x',
    "an applet": "<applet>x</applet>",
    "a base": '<base href="http://evil.example/"/>x',
    "a linked sheet": '<link rel="stylesheet" href="x.css"/>x',
    "a meta": '<meta charset="utf-8"/>x',
    "a body": "<body><p>x</p></body>",
    "a head": "<head><title>x</title></head>",
    "a video": '<video src="x">x</video>',
    "an element that is none": "<foo>x</foo>",
    "an event": '<p onclick="alert(1)">x</p>',
    "another event": '<img src="#a" alt="a" onerror="alert(1)"/>x',
    "an attribute that is none": '<p foo="bar">x</p>',
    "not closed": "<p>x",
    "closed in the wrong order": "<p><b>x</p></b>",
    "HTML's empty break": "a<br>b",
    "an attribute without quotes": "<p class=note>x</p>",
    "an attribute without value": "<p hidden>x</p>",
    "an attribute twice": '<p class="a" class="b">x</p>',
    "a bare ampersand": "Berg & Co",
    "a bare less-than": "a < b",
    "an unknown entity": "a &nothing; b",
    "nothing": "",
    "blanks": "   \n ",
    "an empty paragraph": "<p> </p>",
    "another namespace": '<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>x',
    "upper case": "<P>x</P>",
}

_WHOLE: Final[list[Draft]] = [
    bad(name, PATIENT, {"text.div": whole})
    for name, whole in {
        "no namespace": "<div><p>x</p></div>",
        "another namespace of the root": '<div xmlns="http://hl7.org/fhir"><p>x</p></div>',
        "another root": f'<p xmlns="{XHTML}">x</p>',
        "a span as root": f'<span xmlns="{XHTML}">x</span>',
        "two roots": div("x") + div("y"),
        "text behind the root": div("x") + "tail",
        "text before the root": "head" + div("x"),
        "no XML": "Ada Berg",
        "a DTD": f'<!DOCTYPE div [<!ENTITY x "y">]><div xmlns="{XHTML}">&x;</div>',
        "an external entity": f'<!DOCTYPE div [<!ENTITY x SYSTEM "file:///etc/passwd">]><div xmlns="{XHTML}">&x;</div>',
        "the root not closed": f'<div xmlns="{XHTML}"><p>x</p>',
        "escaped": f"&lt;div xmlns='{XHTML}'&gt;x&lt;/div&gt;",
        "an html document": f'<html xmlns="{XHTML}"><body><div>x</div></body></html>',
        "empty and closed": f'<div xmlns="{XHTML}"/>',
    }.items()
]

CASES: Final[list[Case]] = group(
    "narrative",
    "narrative.html#xhtml, txt-1, txt-2",
    [
        *[good(name, PATIENT, {"text.div": div(inner)}) for name, inner in _RIGHT.items()],
        *[bad(name, PATIENT, {"text.div": div(inner)}) for name, inner in _WRONG.items()],
        *_WHOLE,
        good(
            "attributes of the root",
            PATIENT,
            {"text.div": f'<div xmlns="{XHTML}" lang="de" xml:lang="de"><p>x</p></div>'},
        ),
        good("a prefix", PATIENT, {"text.div": f'<div xmlns="{XHTML}">x</div>', "text.status": "additional"}),
        bad("a status that is none", PATIENT, {"text.status": "final"}),
        bad("a narrative of a contained list's own", PATIENT, {"text": [PATIENT["text"]]}),
    ],
)
