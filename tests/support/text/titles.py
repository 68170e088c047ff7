"""Titles of the same works in four languages, and titles on four topics in three."""

from __future__ import annotations

WORKS: dict[str, tuple[str, ...]] = {
    "en": (
        "The Lord of the Rings", "Spirited Away", "The Little Prince", "War and Peace", "A Brief History of Time",
        "Crime and Punishment", "The Old Man and the Sea", "The Three Musketeers", "Around the World in Eighty Days",
        "The Art of War", "Norwegian Wood", "Dream of the Red Chamber",
    ),
    "de": (
        "Der Herr der Ringe", "Chihiros Reise ins Zauberland", "Der kleine Prinz", "Krieg und Frieden",
        "Eine kurze Geschichte der Zeit", "Schuld und Sühne", "Der alte Mann und das Meer", "Die drei Musketiere",
        "In achtzig Tagen um die Welt", "Die Kunst des Krieges", "Naokos Lächeln", "Der Traum der roten Kammer",
    ),
    "zh": (
        "指环王", "千与千寻", "小王子", "战争与和平", "时间简史", "罪与罚", "老人与海", "三个火枪手",
        "八十天环游地球", "孙子兵法", "挪威的森林", "红楼梦",
    ),
    "ja": (
        "ロード・オブ・ザ・リング", "千と千尋の神隠し", "星の王子さま", "戦争と平和", "ホーキング、宇宙を語る",
        "罪と罰", "老人と海", "三銃士", "八十日間世界一周", "孫子の兵法", "ノルウェイの森", "紅楼夢",
    ),
}  # fmt: skip
"""The n-th title of each language is of the same work."""

TOPICS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "cooking": (
        ("Italian pasta recipes", "Italienische Nudelrezepte", "意大利面食谱"),
        ("Baking bread at home", "Brot zu Hause backen", "在家烤面包"),
        ("The vegetarian kitchen", "Die vegetarische Küche", "素食厨房"),
        ("Soups for cold days", "Suppen für kalte Tage", "冷天的汤"),
        ("Cakes and desserts", "Kuchen und Desserts", "蛋糕与甜点"),
        ("Cooking with fish", "Kochen mit Fisch", "鱼类烹饪"),
        ("The art of the sauce", "Die Kunst der Soße", "酱汁的艺术"),
        ("Quick dinners for families", "Schnelle Abendessen für Familien", "家庭快手晚餐"),
        ("Spices of India", "Gewürze Indiens", "印度香料"),
    ),
    "space": (
        ("Journey to the stars", "Reise zu den Sternen", "飞向星空的旅程"),
        ("The last spaceship", "Das letzte Raumschiff", "最后的飞船"),
        ("Astronauts on Mars", "Astronauten auf dem Mars", "火星上的宇航员"),
        ("The lonely planet of aliens", "Der einsame Planet der Außerirdischen", "外星人的孤独星球"),
        ("A colony on the moon", "Eine Kolonie auf dem Mond", "月球上的殖民地"),
        ("War of the galaxies", "Krieg der Galaxien", "银河之战"),
        ("Black holes and comets", "Schwarze Löcher und Kometen", "黑洞与彗星"),
        ("The space station", "Die Raumstation", "空间站"),
        ("Signals from another world", "Signale von einer anderen Welt", "来自另一个世界的信号"),
    ),
    "crime": (
        ("Murder in the library", "Mord in der Bibliothek", "图书馆谋杀案"),
        ("The detective and the killer", "Der Detektiv und der Mörder", "侦探与杀手"),
        ("The stolen diamonds", "Die gestohlenen Diamanten", "被盗的钻石"),
        ("A witness disappears", "Ein Zeuge verschwindet", "证人失踪"),
        ("Death of a banker", "Tod eines Bankiers", "银行家之死"),
        ("The police inspector's last case", "Der letzte Fall des Kommissars", "警探的最后一案"),
        ("Poison at dinner", "Gift beim Abendessen", "晚宴上的毒药"),
        ("The kidnapping", "Die Entführung", "绑架"),
        ("The perfect alibi", "Das perfekte Alibi", "完美的不在场证明"),
    ),
    "love": (
        ("A kiss in Paris", "Ein Kuss in Paris", "巴黎之吻"),
        ("The wedding of my best friend", "Die Hochzeit meines besten Freundes", "我最好朋友的婚礼"),
        ("Love letters", "Liebesbriefe", "情书"),
        ("Summer of our hearts", "Sommer unserer Herzen", "我们心中的夏天"),
        ("Two lovers on a train", "Zwei Liebende im Zug", "火车上的恋人"),
        ("Marry me tomorrow", "Heirate mich morgen", "明天嫁给我"),
        ("The bride and the baker", "Die Braut und der Bäcker", "新娘与面包师"),
        ("Falling in love again", "Wieder verliebt", "再次坠入爱河"),
        ("Romance under the stars", "Romanze unter den Sternen", "星空下的浪漫"),
    ),
}
"""By topic, titles in English, German and Chinese."""
