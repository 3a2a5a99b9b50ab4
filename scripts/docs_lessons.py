"""A hook of MkDocs that adds the notebooks as pages; ``python scripts/docs_lessons.py`` runs them first, for figures.

Without an executed copy in ``.lessons/`` a page shows text and code. With one it shows figures, tables and sounds too:
Plotly figures are drawn by the plotly.js that comes with the package, so nothing is loaded from another server.
"""

from __future__ import annotations

import html
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
EXECUTED = ROOT / ".lessons"
PLOTLY = "assets/plotly.min.js"
_FIGURE = "application/vnd.plotly.v1+json"


def page(notebook: dict[str, Any], place: str) -> str:
    """Return a notebook as Markdown, with the outputs that it holds; ``place`` is its address in the repository."""
    parts = []
    for index, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        else:
            parts.append(f"```python\n{source}\n```")
            parts += [shown(output, f"figure-{index}-{k}") for k, output in enumerate(cell.get("outputs", ()))]
    drawn = any(_FIGURE in str(part) or "Plotly.newPlot" in part for part in parts)
    script = f'<script src="../{PLOTLY}"></script>\n\n' if drawn else ""
    first, *rest = parts
    return f"{first}\n\n*The notebook is `{place}`.*\n\n{script}" + "\n\n".join(part for part in rest if part) + "\n"


def shown(output: dict[str, Any], name: str) -> str:
    """Return an output of a cell as HTML or Markdown; "" for widgets and progress, which need a kernel."""
    data = output.get("data", {})
    if _FIGURE in data:
        figure = json.dumps({key: data[_FIGURE][key] for key in ("data", "layout")}).replace("</", "<\\/")
        return (
            f'<div id="{name}" style="background:white"></div>\n<script>(f=>Plotly.newPlot("{name}",f.data,f.layout,'
            f"{{responsive:true,displaylogo:false}}))({figure})</script>"
        )
    if "text/html" in data and "widget" not in str(list(data)):
        return "".join(data["text/html"]).replace("\n\n", "\n")
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    text = "".join(output.get("text", "") if output.get("name") != "stderr" else "")
    text = text or ("".join(data.get("text/plain", "")) if "widget" not in str(list(data)) else "")
    return f"<pre>{html.escape(text)}</pre>" if text.strip() else ""


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each notebook, and plotly.js if a page draws with it."""
    from mkdocs.structure.files import File

    drawn = False
    for path in NOTEBOOKS:
        executed = EXECUTED / path.name
        notebook = json.loads((executed if executed.exists() else path).read_text(encoding="utf-8"))
        content = page(notebook, f"notebooks/{path.name}")
        drawn |= PLOTLY in content
        files.append(File.generated(config, f"lessons/{path.stem}.md", content=content))
    if drawn:
        import plotly

        library = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
        files.append(File.generated(config, PLOTLY, abs_src_path=str(library)))
    return files


def main() -> None:
    """Run the notebooks, all or those whose numbers are given, and keep the result in ``.lessons/``."""
    import nbformat
    from nbclient import NotebookClient

    EXECUTED.mkdir(exist_ok=True)
    chosen = [path for path in NOTEBOOKS if path.stem.startswith(tuple(sys.argv[1:] or ["0"]))]
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"WORKBENCH_HOME": home, "PYTHONPATH": str(ROOT)}
        for path in chosen:
            notebook = nbformat.read(path, as_version=4)
            NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
            nbformat.write(notebook, EXECUTED / path.name)


if __name__ == "__main__":
    main()
