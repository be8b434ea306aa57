# Shell arithmetic and loops, without any other process.
a=1 b=0 i=0
while [ $i -lt 60000 ]; do
  a=$(((a * 75 + 74) % 65537))
  [ $((a & 1)) = 1 ] && b=$((b + a))
  i=$((i + 1))
done
echo $a $b
