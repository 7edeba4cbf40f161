"""What concepts are called, and what their ends look like in English and Spanish.

The names are those of the attribute reader (`tuiface.heads.LABELS`) and of the laboratory's earlier systems.
"""

from __future__ import annotations

from tuiface.directions.direction import Ends, Labels

_ENDS: dict[str, tuple[str, str, str, str]] = {
    "age": ("younger", "older", "más joven", "mayor"),
    "backdrop_lightness": ("darker background", "lighter background", "fondo más oscuro", "fondo más claro"),
    "bald": ("with hair", "bald", "con pelo", "calvo"),
    "beard": ("clean-shaven", "bearded", "afeitado", "con barba"),
    "beard_length": ("shorter beard", "longer beard", "barba más corta", "barba más larga"),
    "beauty": ("plainer", "more attractive", "menos atractivo", "más atractivo"),
    "brow_arch": ("straighter brows", "arched brows", "cejas más rectas", "cejas más arqueadas"),
    "brow_height": ("lower brows", "higher brows", "cejas más bajas", "cejas más altas"),
    "brow_raise": ("frowning", "brows raised", "ceño fruncido", "cejas levantadas"),
    "brow_thickness": ("thinner brows", "thicker brows", "cejas más finas", "cejas más gruesas"),
    "cheekbones": ("flatter cheekbones", "stronger cheekbones", "pómulos planos", "pómulos marcados"),
    "chin_width": ("narrower chin", "wider chin", "mentón más angosto", "mentón más ancho"),
    "crown_thinning": ("full crown", "thinning crown", "coronilla poblada", "coronilla rala"),
    "emotion_angry": ("less angry", "angrier", "menos enojado", "más enojado"),
    "emotion_disgust": ("less disgusted", "more disgusted", "menos asqueado", "más asqueado"),
    "emotion_easy": ("tenser", "more at ease", "más tenso", "más relajado"),
    "emotion_fear": ("less afraid", "more afraid", "menos asustado", "más asustado"),
    "emotion_happy": ("less happy", "happier", "menos feliz", "más feliz"),
    "emotion_sad": ("less sad", "sadder", "menos triste", "más triste"),
    "emotion_surprise": ("less surprised", "more surprised", "menos sorprendido", "más sorprendido"),
    "eye_distance": ("eyes closer together", "eyes farther apart", "ojos más juntos", "ojos más separados"),
    "eye_eyebrow_distance": ("brows nearer the eyes", "brows farther up", "cejas cerca de los ojos", "cejas lejos"),
    "eye_opening": ("eyes closing", "eyes wide open", "ojos entrecerrados", "ojos muy abiertos"),
    "eye_ratio": ("rounder eyes", "longer eyes", "ojos más redondos", "ojos más alargados"),
    "eye_size": ("smaller eyes", "larger eyes", "ojos más chicos", "ojos más grandes"),
    "eyes_open": ("eyes closing", "eyes wide open", "ojos entrecerrados", "ojos muy abiertos"),
    "exposure": ("darker picture", "brighter picture", "foto más oscura", "foto más clara"),
    "face_length": ("shorter face", "longer face", "cara más corta", "cara más larga"),
    "face_width": ("narrower face", "wider face", "cara más angosta", "cara más ancha"),
    "freckles": ("no freckles", "freckles", "sin pecas", "con pecas"),
    "fringe": ("bare forehead", "fringe", "frente despejada", "flequillo"),
    "fullness": ("leaner cheeks", "fuller cheeks", "mejillas flacas", "mejillas llenas"),
    "garment_lightness": ("darker clothing", "lighter clothing", "ropa más oscura", "ropa más clara"),
    "gaze_x": ("looking to the viewer's left", "looking to the right", "mira a la izquierda", "mira a la derecha"),
    "gaze_y": ("looking down", "looking up", "mira abajo", "mira arriba"),
    "gender": ("more feminine", "more masculine", "más femenino", "más masculino"),
    "glasses": ("no glasses", "glasses", "sin anteojos", "con anteojos"),
    "grey": ("no grey hair", "grey hair", "sin canas", "canoso"),
    "hair_curl": ("straighter hair", "curlier hair", "pelo más lacio", "pelo más rizado"),
    "hair_length": ("shorter hair", "longer hair", "pelo más corto", "pelo más largo"),
    "hair_lightness": ("darker hair", "lighter hair", "pelo más oscuro", "pelo más claro"),
    "hair_red": ("no red in the hair", "redder hair", "pelo no rojizo", "pelo rojizo"),
    "hair_volume": ("flatter hair", "fuller hair", "pelo más chato", "pelo con más volumen"),
    "hair_wave": ("straighter hair", "curlier hair", "pelo más lacio", "pelo más rizado"),
    "hairline_height": ("lower hairline", "higher hairline", "línea del pelo más baja", "línea del pelo más alta"),
    "hairline_recession": ("even hairline", "receding temples", "sin entradas", "con entradas"),
    "iris_lightness": ("darker irises", "lighter irises", "iris más oscuros", "iris más claros"),
    "jaw_width": ("narrower jaw", "wider jaw", "mandíbula angosta", "mandíbula ancha"),
    "light_azimuth": ("light from the viewer's left", "light from the right", "luz de la izquierda", "luz de derecha"),
    "light_elevation": ("light from below", "light from above", "luz de abajo", "luz de arriba"),
    "light_key": ("flat light", "strong light", "luz pareja", "luz fuerte"),
    "light_warmth": ("cooler light", "warmer light", "luz más fría", "luz más cálida"),
    "lip_fullness": ("thinner lips", "fuller lips", "labios más finos", "labios más gruesos"),
    "lip_ratio": ("thinner lips", "fuller lips", "labios más finos", "labios más gruesos"),
    "lipstick": ("no lipstick", "lipstick", "sin lápiz labial", "con lápiz labial"),
    "makeup": ("no make-up", "make-up", "sin maquillaje", "maquillada"),
    "mouth_open": ("mouth closed", "mouth open", "boca cerrada", "boca abierta"),
    "mouth_ratio": ("narrower mouth", "wider mouth", "boca más angosta", "boca más ancha"),
    "mouth_width": ("narrower mouth", "wider mouth", "boca más angosta", "boca más ancha"),
    "neck_width": ("thinner neck", "wider neck", "cuello más fino", "cuello más ancho"),
    "nose_bridge": ("flatter bridge", "higher bridge", "puente nasal bajo", "puente nasal alto"),
    "nose_length": ("shorter nose", "longer nose", "nariz más corta", "nariz más larga"),
    "nose_mouth_distance": ("nose nearer the mouth", "nose farther up", "nariz cerca de la boca", "nariz lejos"),
    "nose_ratio": ("narrower nose", "wider nose", "nariz más angosta", "nariz más ancha"),
    "nose_tip": ("upturned nose", "drooping nose", "nariz respingada", "nariz caída"),
    "nose_width": ("narrower nose", "wider nose", "nariz más angosta", "nariz más ancha"),
    "pitch": ("head up", "head down", "cabeza arriba", "cabeza abajo"),
    "redness": ("paler skin", "redder skin", "piel más pálida", "piel más rojiza"),
    "roll": ("tilted to the left", "tilted to the right", "inclinada a la izquierda", "inclinada a la derecha"),
    "skin_tone": ("lighter skin", "darker skin", "piel más clara", "piel más oscura"),
    "smile": ("unsmiling", "smiling", "sin sonrisa", "sonriente"),
    "teeth": ("lips closed", "teeth showing", "labios cerrados", "dientes a la vista"),
    "yaw": ("turned to the viewer's left", "turned to the right", "girada a la izquierda", "girada a la derecha"),
}  # fmt: skip

DIRECTION_NAMES = {"masculinity": "gender", "melanin": "skin_tone", "haemoglobin": "redness"}
"""Attributes of the reader whose direction goes by another name: what shows, rather than how it is rendered."""


def direction_name(attribute: str) -> str:
    """The name of the direction of an attribute of the reader."""
    return DIRECTION_NAMES.get(attribute, attribute)


def labels_of(name: str) -> Labels:
    """The ends of a concept; for one that is not in the list, less and more of its name."""
    if name in _ENDS:
        low, high, menos, mas = _ENDS[name]
        return Labels(en=(low, high), es=(menos, mas))
    words = name.replace("_", " ")
    return Labels(en=(f"less {words}", f"more {words}"), es=(f"menos {words}", f"más {words}"))


def labels_from(name: str, en: Ends, es: Ends) -> Labels | None:
    """The words that a user gave for the ends, each possibly empty: one language stands in for the other.

    None where no word was given at all; the vocabulary fills what is missing.
    """
    known = labels_of(name)
    if not any((*en, *es)):
        return None
    low, high = ((e or s or k_en, s or e or k_es) for e, s, k_en, k_es in zip(en, es, known.en, known.es, strict=True))
    return Labels(en=(low[0], high[0]), es=(low[1], high[1]))
