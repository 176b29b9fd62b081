"""Texts of users that would break a page or a table if they were taken for code."""

HOSTILE = (
    "</script><script>window.pwned=1</script><img src=x onerror=window.pwned=1><!--<script> a|b "
    "$x_1$ %#&{dataset}~^\\ é 金 😀"
)
HOSTILE_RST = "`x <javascript:window.pwned=1>`_ |s| *b* {backbone} {unknown}"
LONG = "The adsorption of formate on a copper surface at four hundred kelvin, run number 12"
FORMULA = "=cmd|' /C calc'!A0"
