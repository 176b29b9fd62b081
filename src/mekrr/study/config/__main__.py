"""Write what is made from the models: JSON schemas for editors, tables of keys.

``python -m mekrr.study.config``, ``make config-docs``, in the top folder of the project.
"""

from pathlib import Path

from mekrr.files import write_text
from mekrr.study.config.schema import schema_files
from mekrr.study.config.tables import DOCUMENTED, documented

for path, text in schema_files().items():
    Path(path).parent.mkdir(exist_ok=True)
    write_text(path, text)
write_text(DOCUMENTED, documented(Path(DOCUMENTED).read_text(encoding="utf-8")))
