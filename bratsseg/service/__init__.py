"""The web service: upload, jobs, results, patients, accounts. ``create_app`` in ``app`` puts it together.

Every result comes from the step that ``bratsseg segment`` runs; there is no second way to infer. The server reads no
torch: only the worker process does.
"""
