"""Judging what other programs ran: source → lines → log → journal (importing) → facts and forensics → document.

The rest of the harness takes from here: `rows.measure_foreign` (collect), `document.build_foreign_document` and
`describe_import_command` (analyse), `checks.run_mixed_checks`, `select_own` and `FORENSICS` (analyse, verify),
`running.plan_external`, `run_external` and `is_external` (compare), `external.ExternalArm` (launch), three functions of
`text` (text), and `command.run_import` (the command line).
"""
