"""The concepts that directions are about: what they are called, in English and Spanish, and what their ends look like.

Directions take their names from this one table, lists their order and their groups. Most concepts are attributes that
the attribute predictor reads (`tuiface.heads.LABELS`), some come from the laboratory's two earlier systems. Built with
the standard library alone: the interface's first paint needs words and groups, and waits for neither numpy nor
pydantic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuiface.core.errors import UsageError

Group = Literal["general", "orientation", "eyes", "mouth", "nose", "hair", "skin", "light", "own"]
GROUPS: tuple[Group, ...] = ("general", "orientation", "eyes", "mouth", "nose", "hair", "skin", "light", "own")
"""In the order of a list. `own` holds what the table does not know: a user's concepts, and what was found."""

LegacySystem = Literal["first", "later"]
LEGACY_ROWS: dict[LegacySystem, tuple[int, int] | None] = {"first": (0, 8), "later": None}
"""Rows of W+ that the directions of an earlier system moved; None for all."""


@dataclass(frozen=True, slots=True)
class Concept:
    """What can change in a face, and the words for it."""

    name: str
    """Of its direction."""
    group: Group
    en: str
    """What people call it in English."""
    es: str
    """The same in Spanish."""
    ends_en: tuple[str, str]
    """What faces look like at negative and at positive amounts, in English."""
    ends_es: tuple[str, str]
    """The same in Spanish."""
    attribute: str = ""
    """The attribute predictor's name for it, where that differs: it says how heads are rendered, `name` what shows."""
    first: str = ""
    """Its group in the laboratory's first system (12 directions, one at a time); empty: it had none of that name."""
    later: str = ""
    """Its group in the laboratory's later system (16 directions, combinable); empty: it had none of that name."""


_TABLE = (
    Concept("age", "general", "age", "edad",
            ("younger", "older"), ("más joven", "mayor"), first="person", later="person"),
    Concept("gender", "general", "gender", "género",
            ("more feminine", "more masculine"), ("más femenino", "más masculino"),
            attribute="masculinity", first="person", later="person"),
    Concept("beauty", "general", "attractiveness", "atractivo",
            ("plainer", "more attractive"), ("menos atractivo", "más atractivo"), first="person"),
    Concept("face_width", "general", "face width", "ancho de cara",
            ("narrower face", "wider face"), ("cara más angosta", "cara más ancha")),
    Concept("face_length", "general", "face length", "largo de cara",
            ("shorter face", "longer face"), ("cara más corta", "cara más larga")),
    Concept("jaw_width", "general", "jaw", "mandíbula",
            ("narrower jaw", "wider jaw"), ("mandíbula angosta", "mandíbula ancha")),
    Concept("chin_width", "general", "chin", "mentón",
            ("narrower chin", "wider chin"), ("mentón más angosto", "mentón más ancho")),
    Concept("cheekbones", "general", "cheekbones", "pómulos",
            ("flatter cheekbones", "stronger cheekbones"), ("pómulos planos", "pómulos marcados")),
    Concept("fullness", "general", "cheeks", "mejillas",
            ("leaner cheeks", "fuller cheeks"), ("mejillas flacas", "mejillas llenas")),
    Concept("neck_width", "general", "neck", "cuello",
            ("thinner neck", "wider neck"), ("cuello más fino", "cuello más ancho")),
    Concept("emotion_angry", "general", "anger", "enojo",
            ("less angry", "angrier"), ("menos enojado", "más enojado"),
            attribute="anger", first="emotion"),
    Concept("emotion_disgust", "general", "disgust", "asco",
            ("less disgusted", "more disgusted"), ("menos asqueado", "más asqueado"),
            attribute="disgust", first="emotion"),
    Concept("emotion_easy", "general", "ease", "calma",
            ("tenser", "more at ease"), ("más tenso", "más relajado"), first="emotion"),
    Concept("emotion_fear", "general", "fear", "miedo",
            ("less afraid", "more afraid"), ("menos asustado", "más asustado"),
            attribute="fear", first="emotion"),
    Concept("emotion_happy", "general", "happiness", "felicidad",
            ("less happy", "happier"), ("menos feliz", "más feliz"),
            attribute="joy", first="emotion"),
    Concept("emotion_sad", "general", "sadness", "tristeza",
            ("less sad", "sadder"), ("menos triste", "más triste"),
            attribute="sadness", first="emotion"),
    Concept("emotion_surprise", "general", "surprise", "sorpresa",
            ("less surprised", "more surprised"), ("menos sorprendido", "más sorprendido"),
            attribute="surprise", first="emotion"),
    Concept("yaw", "orientation", "turn", "giro",
            ("turned to the viewer's left", "turned to the right"), ("girada a la izquierda", "girada a la derecha"),
            later="pose"),
    Concept("pitch", "orientation", "nod", "cabeceo",
            ("head up", "head down"), ("cabeza arriba", "cabeza abajo"), later="pose"),
    Concept("roll", "orientation", "tilt", "inclinación",
            ("tilted to the left", "tilted to the right"), ("inclinada a la izquierda", "inclinada a la derecha"),
            later="pose"),
    Concept("eye_opening", "eyes", "eye opening", "apertura ocular",
            ("eyes closing", "eyes wide open"), ("ojos entrecerrados", "ojos muy abiertos")),
    Concept("eyes_open", "eyes", "eyes open", "ojos abiertos",
            ("eyes closing", "eyes wide open"), ("ojos entrecerrados", "ojos muy abiertos"),
            first="eyes", later="eyes"),
    Concept("eye_size", "eyes", "eye size", "tamaño de ojos",
            ("smaller eyes", "larger eyes"), ("ojos más chicos", "ojos más grandes")),
    Concept("eye_ratio", "eyes", "eye shape", "forma de ojos",
            ("rounder eyes", "longer eyes"), ("ojos más redondos", "ojos más alargados"), later="eyes"),
    Concept("eye_distance", "eyes", "eye distance", "separación",
            ("eyes closer together", "eyes farther apart"), ("ojos más juntos", "ojos más separados"), later="eyes"),
    Concept("gaze_x", "eyes", "gaze sideways", "mirada al lado",
            ("looking to the viewer's left", "looking to the right"), ("mira a la izquierda", "mira a la derecha")),
    Concept("gaze_y", "eyes", "gaze up", "mirada arriba",
            ("looking down", "looking up"), ("mira abajo", "mira arriba")),
    Concept("iris_lightness", "eyes", "iris", "iris",
            ("darker irises", "lighter irises"), ("iris más oscuros", "iris más claros")),
    Concept("brow_height", "eyes", "brow height", "altura de cejas",
            ("lower brows", "higher brows"), ("cejas más bajas", "cejas más altas")),
    Concept("brow_arch", "eyes", "brow arch", "arco de cejas",
            ("straighter brows", "arched brows"), ("cejas más rectas", "cejas más arqueadas")),
    Concept("brow_raise", "eyes", "brow raise", "cejas en alto",
            ("frowning", "brows raised"), ("ceño fruncido", "cejas levantadas")),
    Concept("inner_brow_raise", "eyes", "inner brows", "cejas adentro",
            ("inner brows at rest", "inner brows raised"), ("cejas en reposo", "cejas alzadas por dentro")),
    Concept("brow_lower", "eyes", "brows lowered", "ceño",
            ("brows at rest", "brows down and together"), ("cejas en reposo", "cejas bajas y juntas")),
    Concept("lid_tighten", "eyes", "tight lids", "párpados tensos",
            ("lids at rest", "lids tightened"), ("párpados en reposo", "párpados tensos")),
    Concept("brow_thickness", "eyes", "brow thickness", "grosor de cejas",
            ("thinner brows", "thicker brows"), ("cejas más finas", "cejas más gruesas")),
    Concept("eye_eyebrow_distance", "eyes", "brow distance", "ojo a ceja",
            ("brows nearer the eyes", "brows farther up"), ("cejas cerca de los ojos", "cejas lejos"), later="eyes"),
    Concept("glasses", "eyes", "glasses", "anteojos",
            ("no glasses", "glasses"), ("sin anteojos", "con anteojos")),
    Concept("smile", "mouth", "smile", "sonrisa",
            ("unsmiling", "smiling"), ("sin sonrisa", "sonriente"), first="expression", later="expression"),
    Concept("mouth_open", "mouth", "mouth open", "boca abierta",
            ("mouth closed", "mouth open"), ("boca cerrada", "boca abierta"), later="mouth"),
    Concept("teeth", "mouth", "teeth", "dientes",
            ("lips closed", "teeth showing"), ("labios cerrados", "dientes a la vista")),
    Concept("upper_lip_raise", "mouth", "upper lip up", "labio superior",
            ("upper lip at rest", "upper lip raised"), ("labio en reposo", "labio superior alzado")),
    Concept("corner_depress", "mouth", "corners down", "comisuras",
            ("mouth corners at rest", "mouth corners down"), ("comisuras en reposo", "comisuras hacia abajo")),
    Concept("chin_raise", "mouth", "chin raised", "mentón alzado",
            ("chin at rest", "chin pushed up"), ("mentón en reposo", "mentón empujado arriba")),
    Concept("lip_stretch", "mouth", "lips stretched", "labios estirados",
            ("lips at rest", "lips stretched sideways"), ("labios en reposo", "labios estirados")),
    Concept("lip_press", "mouth", "lips pressed", "labios apretados",
            ("lips at rest", "lips pressed together"), ("labios en reposo", "labios apretados")),
    Concept("mouth_width", "mouth", "mouth width", "ancho de boca",
            ("narrower mouth", "wider mouth"), ("boca más angosta", "boca más ancha")),
    Concept("mouth_ratio", "mouth", "mouth shape", "forma de boca",
            ("narrower mouth", "wider mouth"), ("boca más angosta", "boca más ancha"), later="mouth"),
    Concept("lip_fullness", "mouth", "lips", "labios",
            ("thinner lips", "fuller lips"), ("labios más finos", "labios más gruesos")),
    Concept("lip_ratio", "mouth", "lip shape", "forma de labios",
            ("thinner lips", "fuller lips"), ("labios más finos", "labios más gruesos"), later="mouth"),
    Concept("lipstick", "mouth", "lipstick", "lápiz labial",
            ("no lipstick", "lipstick"), ("sin lápiz labial", "con lápiz labial")),
    Concept("nose_length", "nose", "nose length", "largo de nariz",
            ("shorter nose", "longer nose"), ("nariz más corta", "nariz más larga")),
    Concept("nose_width", "nose", "nose width", "ancho de nariz",
            ("narrower nose", "wider nose"), ("nariz más angosta", "nariz más ancha")),
    Concept("nose_ratio", "nose", "nose shape", "forma de nariz",
            ("narrower nose", "wider nose"), ("nariz más angosta", "nariz más ancha"), later="nose"),
    Concept("nose_wrinkle", "nose", "nose wrinkled", "nariz fruncida",
            ("nose at rest", "nose wrinkled"), ("nariz en reposo", "nariz fruncida")),
    Concept("nose_bridge", "nose", "nose bridge", "puente nasal",
            ("flatter bridge", "higher bridge"), ("puente nasal bajo", "puente nasal alto")),
    Concept("nose_tip", "nose", "nose tip", "punta de nariz",
            ("upturned nose", "drooping nose"), ("nariz respingada", "nariz caída"), later="nose"),
    Concept("nose_mouth_distance", "nose", "nose to mouth", "nariz a boca",
            ("nose nearer the mouth", "nose farther up"), ("nariz cerca de la boca", "nariz lejos"), later="nose"),
    Concept("hair_length", "hair", "hair length", "largo de pelo",
            ("shorter hair", "longer hair"), ("pelo más corto", "pelo más largo")),
    Concept("hair_volume", "hair", "hair volume", "volumen",
            ("flatter hair", "fuller hair"), ("pelo más chato", "pelo con más volumen")),
    Concept("hair_lightness", "hair", "hair lightness", "claridad",
            ("darker hair", "lighter hair"), ("pelo más oscuro", "pelo más claro")),
    Concept("hair_red", "hair", "red hair", "pelo rojizo",
            ("no red in the hair", "redder hair"), ("pelo no rojizo", "pelo rojizo")),
    Concept("hair_curl", "hair", "curl", "rizo",
            ("straighter hair", "curlier hair"), ("pelo más lacio", "pelo más rizado")),
    Concept("hair_wave", "hair", "wave", "onda",
            ("straighter hair", "curlier hair"), ("pelo más lacio", "pelo más rizado")),
    Concept("grey", "hair", "grey hair", "canas",
            ("no grey hair", "grey hair"), ("sin canas", "canoso")),
    Concept("fringe", "hair", "fringe", "flequillo",
            ("bare forehead", "fringe"), ("frente despejada", "flequillo")),
    Concept("hairline_height", "hair", "hairline", "línea del pelo",
            ("lower hairline", "higher hairline"), ("línea del pelo más baja", "línea del pelo más alta")),
    Concept("hairline_recession", "hair", "temples", "entradas",
            ("even hairline", "receding temples"), ("sin entradas", "con entradas")),
    Concept("crown_thinning", "hair", "crown", "coronilla",
            ("full crown", "thinning crown"), ("coronilla poblada", "coronilla rala")),
    Concept("bald", "hair", "baldness", "calvicie",
            ("with hair", "bald"), ("con pelo", "calvo")),
    Concept("beard", "hair", "beard", "barba",
            ("clean-shaven", "bearded"), ("afeitado", "con barba")),
    Concept("beard_length", "hair", "beard length", "largo de barba",
            ("shorter beard", "longer beard"), ("barba más corta", "barba más larga")),
    Concept("skin_tone", "skin", "skin tone", "tono de piel",
            ("lighter skin", "darker skin"), ("piel más clara", "piel más oscura"), attribute="melanin"),
    Concept("redness", "skin", "redness", "rubor",
            ("paler skin", "redder skin"), ("piel más pálida", "piel más rojiza"), attribute="haemoglobin"),
    Concept("freckles", "skin", "freckles", "pecas",
            ("no freckles", "freckles"), ("sin pecas", "con pecas")),
    Concept("wrinkles", "skin", "wrinkles", "arrugas",
            ("smoother skin", "wrinkled"), ("piel más lisa", "con arrugas")),
    Concept("mole", "skin", "mole", "lunar",
            ("no mole", "a mole"), ("sin lunar", "con lunar")),
    Concept("scar", "skin", "scar", "cicatriz",
            ("no scar", "a scar"), ("sin cicatriz", "con cicatriz")),
    Concept("makeup", "skin", "make-up", "maquillaje",
            ("no make-up", "make-up"), ("sin maquillaje", "maquillada")),
    Concept("exposure", "light", "brightness", "brillo",
            ("darker picture", "brighter picture"), ("foto más oscura", "foto más clara")),
    Concept("light_azimuth", "light", "light sideways", "luz lateral",
            ("light from the viewer's left", "light from the right"), ("luz de la izquierda", "luz de derecha")),
    Concept("light_elevation", "light", "light height", "altura de luz",
            ("light from below", "light from above"), ("luz de abajo", "luz de arriba")),
    Concept("light_key", "light", "light contrast", "contraste",
            ("flat light", "strong light"), ("luz pareja", "luz fuerte")),
    Concept("light_warmth", "light", "light warmth", "calidez",
            ("cooler light", "warmer light"), ("luz más fría", "luz más cálida")),
    Concept("backdrop_lightness", "light", "background", "fondo",
            ("darker background", "lighter background"), ("fondo más oscuro", "fondo más claro")),
    Concept("garment_lightness", "light", "clothing", "ropa",
            ("darker clothing", "lighter clothing"), ("ropa más oscura", "ropa más clara")),
)  # fmt: skip
CONCEPTS = {concept.name: concept for concept in _TABLE}
"""By name, in the order of a list."""
_POSITIONS = {name: place for place, name in enumerate(CONCEPTS)}
_NAMES_OF_ATTRIBUTES = {concept.attribute: concept.name for concept in _TABLE if concept.attribute}


def group_of(name: str) -> Group:
    """The group of a direction, by its name."""
    return CONCEPTS[name].group if name in CONCEPTS else "own"


def concept_word(name: str, language: str) -> str:
    """What people call it in `language` ("en" or "es"); its own name where the table has none."""
    if name in CONCEPTS:
        return CONCEPTS[name].es if language == "es" else CONCEPTS[name].en
    return name.replace("_", " ")


def concept_sort_key(name: str) -> tuple[int, int, str]:
    """Sorts directions by group, then as in the table, then by name."""
    return GROUPS.index(group_of(name)), _POSITIONS.get(name, len(_POSITIONS)), name


def concept_ends(name: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """What both ends look like in English and in Spanish; less and more of a name that the table has not."""
    if name in CONCEPTS:
        return CONCEPTS[name].ends_en, CONCEPTS[name].ends_es
    words = name.replace("_", " ")
    return (f"less {words}", f"more {words}"), (f"menos {words}", f"más {words}")


def direction_name(attribute: str) -> str:
    """The name of the direction of an attribute that the predictor reads."""
    return _NAMES_OF_ATTRIBUTES.get(attribute, attribute)


def attribute_name(direction: str) -> str:
    """The attribute that a direction of that name moves: its own name for what the table does not know."""
    return next((concept.attribute for concept in _TABLE if concept.name == direction and concept.attribute), direction)


def legacy_concepts(system: LegacySystem) -> tuple[str, ...]:
    """Names of the directions of one of the laboratory's earlier systems."""
    return tuple(c.name for c in _TABLE if (c.first if system == "first" else c.later))


def find_legacy_rows(name: str, system: LegacySystem) -> tuple[int, int] | None:
    """Rows of W+ that the direction `name` of an earlier system moved, None for all.

    Raises UsageError for a name that it had not, with those that it had.
    """
    known = legacy_concepts(system)
    if name not in known:
        raise UsageError(f"the {system} system had no direction '{name}'; it had {', '.join(known)}")
    return LEGACY_ROWS[system]
