"""Words that a setting may be, wherever it is given: estimator, command line or study."""

PARTS = ("train", "val", "test")
ALL = "all"  # training frames of a large data set, where it is no number of them
REFERENCES = ("least-squares", "mean", "none", "isolated-atoms")  # energies per species
ATOMS = ("all", "mobile")
BY_SPECIES = "by-species"  # α: each species has its own
EXTENSIVE, INTENSIVE = FORMS = ("extensive", "intensive")  # energies that add up, or as published
MEDIANS = ("median", "sampled-median")  # lengthscales
METRICS = ("plain", "scaled", "whitened")  # coordinates of a sparse model
SELECTIONS = ("variance", "fps", "random", "stride")  # ways of choosing frames to label
SYMBOLS = (
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl",
    "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As",
    "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In",
    "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb",
    "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl",
    "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk",
    "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh",
    "Fl", "Mc", "Lv", "Ts", "Og",
)  # fmt: skip
