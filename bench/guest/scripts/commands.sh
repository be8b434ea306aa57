# A script as most are: small commands, pipes and command substitution.
i=0
while [ $i -lt 120 ]; do
  name=$(bin/busybox basename "/some/folder/file$i.txt" .txt)
  sum=$(echo "$name" | bin/busybox md5sum | bin/busybox cut -c 1-8)
  bin/busybox expr "$i" + 1 >/dev/null
  echo "$name $sum"
  i=$((i + 1))
done
