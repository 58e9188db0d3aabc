//! Language tags (BCP 47, RFC 5646): their grammar, and the two-letter languages and regions of ISO 639-1 and 3166-1.

/// Those of ISO 639-1, withdrawn ones included.
const LANGUAGES: &str = "
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en
    eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik in io is it iu iw
    ja ji jv jw ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mo mr ms mt
    my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm
    sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
";

/// Those of ISO 3166-1, and of the registry of subtags beside it.
const REGIONS: &str = "
    aa ac ad ae af ag ai al am an ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bu bv
    bw by bz ca cc cd cf cg ch ci ck cl cm cn co cp cq cr cs cu cv cw cx cy cz dd de dg dj dk dm do dz ea ec ee eg eh
    er es et eu ez fi fj fk fm fo fr fx ga gb gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu ic
    id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc
    md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nt nu nz om pa pe pf
    pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st su sv sx sy
    sz ta tc td tf tg th tj tk tl tm tn to tp tr tt tv tw tz ua ug um un us uy uz va vc ve vg vi vn vu wf ws yd ye yt
    yu za zm zr zw zz
";

/// Tags from before there was a grammar.
const GRANDFATHERED: [&str; 17] = [
    "en-gb-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "sgn-be-fr",
    "sgn-be-nl",
    "sgn-ch-de",
];

/// Whether a text is a language tag, section 2.1 of RFC 5646, whose two-letter parts are registered.
pub fn is_language(text: &str) -> bool {
    let tag = text.to_ascii_lowercase();
    if GRANDFATHERED.contains(&tag.as_str()) {
        return true;
    }
    let mut tags: Tags<'_> = tag.split('-').collect::<Vec<_>>().into_iter().peekable();
    if tags.peek() != Some(&"x") {
        if !tags.next().is_some_and(is_primary) {
            return false;
        }
        while take(&mut tags, |tag| tag.len() == 3 && is_alphabetic(tag)) {}
        take(&mut tags, |tag| tag.len() == 4 && is_alphabetic(tag));
        take(&mut tags, is_region);
        while take(&mut tags, is_variant) {}
    }
    ends(&mut tags)
}

type Tags<'t> = std::iter::Peekable<std::vec::IntoIter<&'t str>>;

fn take(tags: &mut Tags<'_>, fits: impl Fn(&str) -> bool) -> bool {
    tags.next_if(|tag| fits(tag)).is_some()
}

/// Whether nothing comes but extensions, and `x-` with what somebody agreed on.
fn ends(tags: &mut Tags<'_>) -> bool {
    while let Some(tag) = tags.next() {
        let filled = match tag {
            "x" => return many(tags, 1) && tags.next().is_none(),
            _ => tag.len() == 1 && is_alphanumeric(tag) && many(tags, 2),
        };
        if !filled {
            return false;
        }
    }
    true
}

/// One or more subtags of that length or longer.
fn many(tags: &mut Tags<'_>, least: usize) -> bool {
    let fits = |tag: &str| (least..=8).contains(&tag.len()) && is_alphanumeric(tag);
    let mut count = 0;
    while take(tags, fits) {
        count += 1;
    }
    count > 0
}

fn is_primary(tag: &str) -> bool {
    match tag.len() {
        2 => listed(LANGUAGES, tag),
        3 => is_alphabetic(tag),
        _ => false,
    }
}

fn is_region(tag: &str) -> bool {
    let private = || tag.starts_with('x') || ("qm"..="qz").contains(&tag);
    match tag.len() {
        2 => is_alphabetic(tag) && (listed(REGIONS, tag) || private()),
        3 => tag.bytes().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

fn is_variant(tag: &str) -> bool {
    let digit = tag.starts_with(|first: char| first.is_ascii_digit());
    is_alphanumeric(tag) && ((5..=8).contains(&tag.len()) || tag.len() == 4 && digit)
}

fn listed(table: &str, tag: &str) -> bool {
    table.split_ascii_whitespace().any(|one| one == tag)
}

fn is_alphabetic(tag: &str) -> bool {
    !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_alphanumeric(tag: &str) -> bool {
    !tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
