"""Abbreviations whose full stop does not end a sentence: English, German, French, Italian, Spanish, Finnish, Latvian
and Russian.

There is one list for all languages, because the language of a text is unknown during cutting. A missed sentence end
does little harm, while a wrong one can be heard.
"""

from __future__ import annotations


def _listed(*lines: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split(separator))


# followed by a name, or by the rest of the sentence
WORDS = _listed(
    # English
    "Dr Mr Mrs Ms Messrs Prof Rev Hon Gen Col Maj Capt Cpl Sgt Lt Gov Sen Rep Pres Supt Jr Sr Esq St Ste Mt Ft Ave Av",
    "Blvd Rd Inc Ltd Corp Co Bros Dept Univ Assn vs etc approx resp incl excl viz cf ibid al eds",
    # German
    "Hr Fr Frl Dipl Ing Mag bzw usw usf evtl ggf inkl exkl zzgl bspw vgl sog geb gest evang kath Str Tel Abb Anm Hrsg",
    "Jh Mio Mrd",
    # French
    "Mme Mmes Mlle Mlles MM Mgr Me av apr env ex bd boul éd hab",
    # Italian
    "sig sigg dott avv ecc arch geom rag pag tel prof",
    # Spanish
    "Sra Srta Sres Dña Ud Uds Vd Vds pág págs núm avda admón depto izq dcha",
    # Finnish
    "esim ym yms mm jne eaa ns nk puh tri toim vrt",
    # Latvian
    "piem utt lpp plkst dz",
    # Russian
    "г ул им руб коп тыс млн млрд стр см др пр гг вв проф акад",
)

# only before a number: "No. 5" and "fig. 3"; otherwise "No." and "the fig." end a sentence
BEFORE_NUMBERS = _listed(
    "No Nos Nr p pp S s ch Ch fig Fig figs vol Vol vols sec Sec art Art ed par para Abs Bd Kap n nn num tab Tab",
    "Abb ca c eq Eq ver v l ll g t Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec стр рис гл с д кв",
)

# several parts, each with a full stop: with spaces between them or in lower case
CHAINS = _listed(
    "z. B.|z. T.|d. h.|u. a.|u. Ä.|o. Ä.|i. d. R.|v. Chr.|n. Chr.|s. o.|s. u.|p. ex.|c.-à-d.|av. J.-C.|apr. J.-C.",
    "a. C.|d. C.|p. ej.|EE. UU.|RR. HH.|s. f.|e. g.|i. e.|т. е.|т. д.|т. п.|т. к.|н. э.|m. m.|u. c.",
    "t. i.|t. s.|t. sk.|n.º|n.ª|ph. d.|Ph. D.|sig.ra|sig.na|gg. вв.",
    separator="|",
)
