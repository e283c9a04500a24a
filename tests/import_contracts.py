"""A contract for import-linter: some packages import the standard library and little else."""

import sys
from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class ImportsOnly(Contract):
    """A contract that names what is allowed also finds the library that nobody has thought of yet.

    source_modules   packages, which may import the standard library and themselves
    allowed          what else they may import, by its top-level name
    """

    type_name = "imports_only"

    source_modules = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField(), required=False, default=[])

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        forbidden = [
            f"{importer} -> {imported}"
            for package in self.source_modules  # type: ignore[attr-defined]
            for importer in sorted({package, *graph.find_descendants(package)})
            for imported in sorted(self._forbidden(graph, package, importer))
        ]
        return ContractCheck(kept=not forbidden, metadata={"forbidden": forbidden})

    def _forbidden(self, graph: ImportGraph, package: str, importer: str) -> Iterator[str]:
        for imported in graph.find_modules_directly_imported_by(importer):
            is_own = imported == package or imported.startswith(f"{package}.")
            name = imported.partition(".")[0]
            if not (is_own or name in sys.stdlib_module_names or name in self.allowed):  # type: ignore[operator]
                yield imported

    def render_broken_contract(self, check: ContractCheck) -> None:
        for each in check.metadata["forbidden"]:
            output.print_error(f"- {each}", bold=False)
        output.new_line()
