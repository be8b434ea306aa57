s/\([a-z]*\)ra \([a-z]*\)/\2 \1/g
s/to/TO/g
/^s/d
y/aeiou/eioua/
