"""The same sixteen phrases in several languages, to find out how a model tells languages apart."""

from __future__ import annotations

PHRASES: dict[str, tuple[str, ...]] = {
    "de": (
        "eine Liebesgeschichte", "ein Detektiv sucht einen Mörder", "die Geschichte des Krieges",
        "ein Kochbuch für Anfänger", "eine Komödie über eine Familie", "Kinderlieder", "eine Reise durch das Weltall",
        "ein Horrorfilm über Geister", "ein Fußballspiel", "wie man programmieren lernt", "das Leben eines Malers",
        "Gedichte über die Natur", "ein Ratgeber für den Garten", "Musik für den Abend", "ein Roboter lernt zu fühlen",
        "ein Dieb und ein Polizist",
    ),
    "en": (
        "a love story", "a detective looks for a murderer", "the history of the war", "a cookbook for beginners",
        "a comedy about a family", "children's songs", "a journey through space", "a horror film about ghosts",
        "a football game", "how to learn to programme", "the life of a painter", "poems about nature",
        "a guide to the garden", "music for the evening", "a robot learns to feel", "a thief and a policeman",
    ),
    "es": (
        "una historia de amor", "un detective busca a un asesino", "la historia de la guerra",
        "un libro de cocina para principiantes", "una comedia sobre una familia", "canciones infantiles",
        "un viaje por el espacio", "una película de terror sobre fantasmas", "un partido de fútbol",
        "cómo aprender a programar", "la vida de un pintor", "poemas sobre la naturaleza", "una guía del jardín",
        "música para la noche", "un robot aprende a sentir", "un ladrón y un policía",
    ),
    "fr": (
        "une histoire d'amour", "un détective cherche un meurtrier", "l'histoire de la guerre",
        "un livre de cuisine pour débutants", "une comédie sur une famille", "des chansons pour enfants",
        "un voyage dans l'espace", "un film d'horreur sur des fantômes", "un match de football",
        "comment apprendre à programmer", "la vie d'un peintre", "des poèmes sur la nature", "un guide du jardin",
        "de la musique pour le soir", "un robot apprend à ressentir", "un voleur et un policier",
    ),
    "it": (
        "una storia d'amore", "un detective cerca un assassino", "la storia della guerra",
        "un libro di cucina per principianti", "una commedia su una famiglia", "canzoni per bambini",
        "un viaggio nello spazio", "un film dell'orrore sui fantasmi", "una partita di calcio",
        "come imparare a programmare", "la vita di un pittore", "poesie sulla natura", "una guida al giardino",
        "musica per la sera", "un robot impara a provare emozioni", "un ladro e un poliziotto",
    ),
    "ja": (
        "ある恋の物語", "探偵が殺人犯を探す", "戦争の歴史", "初心者のための料理の本", "家族についてのコメディ",
        "子どもの歌", "宇宙を旅する", "幽霊のホラー映画", "サッカーのゲーム", "プログラミングの学び方",
        "ある画家の生涯", "自然についての詩", "ガーデニングの手引き", "夜のための音楽", "ロボットが感情を学ぶ",
        "泥棒と警察官",
    ),
    "ko": (
        "사랑 이야기", "탐정이 살인범을 찾는다", "전쟁의 역사", "초보자를 위한 요리책", "한 가족에 관한 코미디",
        "어린이 노래", "우주 여행", "유령에 관한 공포 영화", "축구 경기", "프로그래밍을 배우는 방법",
        "어느 화가의 생애", "자연에 관한 시", "정원 가꾸기 안내서", "저녁을 위한 음악", "로봇이 감정을 배운다",
        "도둑과 경찰관",
    ),
    "nl": (
        "een liefdesverhaal", "een detective zoekt een moordenaar", "de geschiedenis van de oorlog",
        "een kookboek voor beginners", "een komedie over een gezin", "kinderliedjes", "een reis door de ruimte",
        "een horrorfilm over geesten", "een voetbalwedstrijd", "hoe je leert programmeren",
        "het leven van een schilder", "gedichten over de natuur", "een gids voor de tuin", "muziek voor de avond",
        "een robot leert voelen", "een dief en een politieagent",
    ),
    "pt": (
        "uma história de amor", "um detetive procura um assassino", "a história da guerra",
        "um livro de receitas para principiantes", "uma comédia sobre uma família", "canções infantis",
        "uma viagem pelo espaço", "um filme de terror sobre fantasmas", "um jogo de futebol",
        "como aprender a programar", "a vida de um pintor", "poemas sobre a natureza", "um guia do jardim",
        "música para a noite", "um robô aprende a sentir", "um ladrão e um polícia",
    ),
    "ru": (
        "история любви", "детектив ищет убийцу", "история войны", "поваренная книга для начинающих",
        "комедия о семье", "детские песни", "путешествие по космосу", "фильм ужасов о призраках",
        "футбольный матч", "как научиться программировать", "жизнь художника", "стихи о природе",
        "руководство по садоводству", "музыка на вечер", "робот учится чувствовать", "вор и полицейский",
    ),
    "zh": (
        "一个爱情故事", "侦探寻找凶手", "战争的历史", "初学者的烹饪书", "关于一个家庭的喜剧", "儿童歌曲",
        "穿越太空的旅行", "关于鬼魂的恐怖片", "足球游戏", "如何学习编程", "一位画家的生平", "关于大自然的诗",
        "园艺指南", "夜晚的音乐", "一个机器人学会感受", "小偷与警察",
    ),
}  # fmt: skip
"""By language code; the n-th phrase of each language has the same meaning."""
