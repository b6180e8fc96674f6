"""The console: a web page for those who try, correct, label, release and watch."""
