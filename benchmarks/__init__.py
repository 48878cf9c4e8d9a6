"""Speed, measured. Each script prints a table; `benchmarks/RESULTS.md` keeps what was found."""
