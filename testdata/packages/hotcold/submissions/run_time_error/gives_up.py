raise SystemExit("no idea")
