"""Where concepts stand in a list, and what they are called there, in English and Spanish.

The names are those of `tuiface.directions.vocabulary`, whose labels say what both ends look like.
"""

from __future__ import annotations

from typing import Literal

Group = Literal["general", "orientation", "eyes", "mouth", "nose", "hair", "skin", "light", "own"]
GROUPS: tuple[Group, ...] = ("general", "orientation", "eyes", "mouth", "nose", "hair", "skin", "light", "own")
"""In the order of a list. `own` holds what the table below does not know: a user's concepts, and what was found."""

_CONCEPTS: dict[str, tuple[Group, str, str]] = {
    "age": ("general", "age", "edad"),
    "gender": ("general", "gender", "género"),
    "beauty": ("general", "attractiveness", "atractivo"),
    "face_width": ("general", "face width", "ancho de cara"),
    "face_length": ("general", "face length", "largo de cara"),
    "jaw_width": ("general", "jaw", "mandíbula"),
    "chin_width": ("general", "chin", "mentón"),
    "cheekbones": ("general", "cheekbones", "pómulos"),
    "fullness": ("general", "cheeks", "mejillas"),
    "neck_width": ("general", "neck", "cuello"),
    "emotion_angry": ("general", "anger", "enojo"),
    "emotion_disgust": ("general", "disgust", "asco"),
    "emotion_easy": ("general", "ease", "calma"),
    "emotion_fear": ("general", "fear", "miedo"),
    "emotion_happy": ("general", "happiness", "felicidad"),
    "emotion_sad": ("general", "sadness", "tristeza"),
    "emotion_surprise": ("general", "surprise", "sorpresa"),
    "yaw": ("orientation", "turn", "giro"),
    "pitch": ("orientation", "nod", "cabeceo"),
    "roll": ("orientation", "tilt", "inclinación"),
    "eye_opening": ("eyes", "eye opening", "apertura ocular"),
    "eyes_open": ("eyes", "eyes open", "ojos abiertos"),
    "eye_size": ("eyes", "eye size", "tamaño de ojos"),
    "eye_ratio": ("eyes", "eye shape", "forma de ojos"),
    "eye_distance": ("eyes", "eye distance", "separación"),
    "gaze_x": ("eyes", "gaze sideways", "mirada al lado"),
    "gaze_y": ("eyes", "gaze up", "mirada arriba"),
    "iris_lightness": ("eyes", "iris", "iris"),
    "brow_height": ("eyes", "brow height", "altura de cejas"),
    "brow_arch": ("eyes", "brow arch", "arco de cejas"),
    "brow_raise": ("eyes", "brow raise", "cejas en alto"),
    "brow_thickness": ("eyes", "brow thickness", "grosor de cejas"),
    "eye_eyebrow_distance": ("eyes", "brow distance", "ojo a ceja"),
    "glasses": ("eyes", "glasses", "anteojos"),
    "smile": ("mouth", "smile", "sonrisa"),
    "mouth_open": ("mouth", "mouth open", "boca abierta"),
    "teeth": ("mouth", "teeth", "dientes"),
    "mouth_width": ("mouth", "mouth width", "ancho de boca"),
    "mouth_ratio": ("mouth", "mouth shape", "forma de boca"),
    "lip_fullness": ("mouth", "lips", "labios"),
    "lip_ratio": ("mouth", "lip shape", "forma de labios"),
    "lipstick": ("mouth", "lipstick", "lápiz labial"),
    "nose_length": ("nose", "nose length", "largo de nariz"),
    "nose_width": ("nose", "nose width", "ancho de nariz"),
    "nose_ratio": ("nose", "nose shape", "forma de nariz"),
    "nose_bridge": ("nose", "nose bridge", "puente nasal"),
    "nose_tip": ("nose", "nose tip", "punta de nariz"),
    "nose_mouth_distance": ("nose", "nose to mouth", "nariz a boca"),
    "hair_length": ("hair", "hair length", "largo de pelo"),
    "hair_volume": ("hair", "hair volume", "volumen"),
    "hair_lightness": ("hair", "hair lightness", "claridad"),
    "hair_red": ("hair", "red hair", "pelo rojizo"),
    "hair_curl": ("hair", "curl", "rizo"),
    "hair_wave": ("hair", "wave", "onda"),
    "grey": ("hair", "grey hair", "canas"),
    "fringe": ("hair", "fringe", "flequillo"),
    "hairline_height": ("hair", "hairline", "línea del pelo"),
    "hairline_recession": ("hair", "temples", "entradas"),
    "crown_thinning": ("hair", "crown", "coronilla"),
    "bald": ("hair", "baldness", "calvicie"),
    "beard": ("hair", "beard", "barba"),
    "beard_length": ("hair", "beard length", "largo de barba"),
    "skin_tone": ("skin", "skin tone", "tono de piel"),
    "redness": ("skin", "redness", "rubor"),
    "freckles": ("skin", "freckles", "pecas"),
    "makeup": ("skin", "make-up", "maquillaje"),
    "exposure": ("light", "brightness", "brillo"),
    "light_azimuth": ("light", "light sideways", "luz lateral"),
    "light_elevation": ("light", "light height", "altura de luz"),
    "light_key": ("light", "light contrast", "contraste"),
    "light_warmth": ("light", "light warmth", "calidez"),
    "backdrop_lightness": ("light", "background", "fondo"),
    "garment_lightness": ("light", "clothing", "ropa"),
}
_POSITIONS = {name: place for place, name in enumerate(_CONCEPTS)}


def group_of(name: str) -> Group:
    """The group of a direction, by its name."""
    return _CONCEPTS[name][0] if name in _CONCEPTS else "own"


def concept_word(name: str, language: str) -> str:
    """What people call it in `language` ("en" or "es"); its own name where the table has none."""
    if name in _CONCEPTS:
        return _CONCEPTS[name][2 if language == "es" else 1]
    return name.replace("_", " ")


def concept_sort_key(name: str) -> tuple[int, int, str]:
    """Sorts directions by group, then as in the table, then by name."""
    return GROUPS.index(group_of(name)), _POSITIONS.get(name, len(_POSITIONS)), name
