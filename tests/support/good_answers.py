"""What a good writer would answer: cluster `1` as evidence, the title, and the sentences of its
summary, in several languages and domains."""

from support.made_evidence import evidence_of

from corpuscope.tools.describing.evidence import Evidence

GOOD: list[tuple[Evidence, str, list[str]]] = [
    (
        evidence_of(
            "How do I iterate over a HashMap in Java?",
            "Java: sort a Map by its values",
            "ConcurrentModificationException while removing from a HashMap",
            keywords=("hashmap", "java", "map", "iterate"),
            siblings=("Java generics", "Python dictionaries"),
        ),
        "Iterating and sorting Java maps",
        [
            "Programmers ask how to walk through, sort or change a HashMap in Java.",
            "Removing entries during a loop ends in a ConcurrentModificationException.",
        ],
    ),
    (
        evidence_of(
            "Bayern gewinnt in Dortmund 3:1",
            "Leverkusen holt spät einen Punkt in Freiburg",
            "Trainer Terzić nach der Niederlage in der Kritik",
            keywords=("bundesliga", "spieltag", "trainer"),
            siblings=("Champions League", "Zweite Liga"),
        ),
        "Bundesliga-Spiele und ihre Folgen",
        [
            "Berichtet wird über Ergebnisse vom Spieltag, etwa über den Sieg der Bayern.",
            "Nach Niederlagen geraten Trainer wie Terzić in die Kritik.",
            "Auch späte Punkte sind ein Thema.",
        ],
    ),
    (
        evidence_of(
            "Le train a eu deux heures de retard sans aucune annonce.",
            "Aucun remboursement après l'annulation de mon TGV.",
            "Personne au guichet pour nous renseigner.",
            keywords=("train", "retard", "remboursement"),
        ),
        "Trains en retard ou annulés",
        [
            "Les voyageurs se plaignent de longs retards que personne n'annonce.",
            "D'autres attendent encore l'argent d'un TGV supprimé.",
        ],
    ),
    (
        evidence_of(
            "El envío llegó roto y nadie responde.",
            "Caja abierta y producto dañado.",
            "Pedí una talla M y llegó una S.",
            keywords=("envío", "dañado", "caja"),
            siblings=("Devoluciones",),
        ),
        "Pedidos dañados o equivocados",
        [
            "Los clientes reciben paquetes abiertos o artículos rotos.",
            "A veces llega otra talla que la pedida.",
        ],
    ),
    (
        evidence_of(
            "快递三天了还没到",
            "物流信息一直不更新",
            "客服说明天送,结果没有送",
            keywords=("快递", "物流", "客服"),
            siblings=("退款延迟",),
        ),
        "快递配送迟缓",
        ["顾客抱怨包裹多日未送达。", "物流页面停滞,客服的承诺也没有兑现。"],
    ),
    (
        evidence_of(
            "كيف أعيد تعيين كلمة المرور؟",
            "لا أستطيع تسجيل الدخول إلى حسابي",
            keywords=("كلمة المرور", "تسجيل الدخول"),
        ),
        "مشكلات الدخول إلى الحساب",
        ["يطلب المستخدمون المساعدة عند فقدان الرمز السري.", "ويعجز آخرون عن الوصول إلى حساباتهم."],
    ),
    (
        evidence_of(
            "인증 문자가 오지 않아요",
            "문자 인증번호를 두 번 눌러도 안 와요",
            keywords=("인증", "문자"),
            siblings=("비밀번호 분실",),
        ),
        "오지 않는 인증 문자",
        ["사용자들은 인증번호를 기다리지만 도착하지 않는다.", "다시 요청해도 소용이 없다고 한다."],
    ),
    (
        evidence_of(
            "मेरा पैसा अब तक वापस नहीं आया",
            "रिफंड कब मिलेगा?",
            keywords=("रिफंड", "पैसा"),
            siblings=("खाता बंद करना",),
        ),
        "रिफंड में देरी",
        ["ग्राहक अपने पैसे की वापसी का इंतज़ार कर रहे हैं।", "कई लोग तारीख जानना चाहते हैं।"],
    ),
    (
        evidence_of(
            "We propose a sparse attention mechanism with linear cost.",
            "Efficient transformers for long documents.",
            "A survey of efficient attention.",
            keywords=("attention", "efficient", "transformers", "long", "sparse"),
            siblings=("Graph neural networks", "Speech recognition"),
        ),
        "Efficient attention",
        [
            "The papers make transformers cheaper on long inputs, mostly by sparse attention.",
            "One is a survey, the others propose methods of their own.",
        ],
    ),
    (
        evidence_of(
            "Oil prices climb as OPEC cuts output",
            "Brent crude tops $90 a barrel",
            "Gold hits a record high",
            keywords=("oil prices", "crude", "gold", "opec"),
            siblings=("Stock markets",),
        ),
        "Oil, gold and other commodity prices",
        [
            "Headlines follow the price of oil, which rises when OPEC produces less.",
            "Gold hits a record too.",
            "Brent stands above $90 a barrel (in April).",
        ],
    ),
]
