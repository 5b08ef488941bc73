# See how your project behaves: ./grade.ps1, or ./grade.ps1 --only 2
# `python -m lesson start` has written the folder of the lab, and the Python of its environment.
$before = $env:PYTHONPATH
$env:PYTHONPATH = '@LAB@'
& '@PYTHON@' -P -m lesson grade @args
$code = $LASTEXITCODE
$env:PYTHONPATH = $before
exit $code
