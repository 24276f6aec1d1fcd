module json_redact

go 1.24
