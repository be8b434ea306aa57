# Functions, case, parameter expansion and here-documents.
count=0 longest=
note() {
  case $1 in
    *a*) count=$((count + ${#1})) ;;
    *[xyz]) count=$((count - 1)) ;;
  esac
  [ ${#1} -gt ${#longest} ] && longest=$1
}
round=0
while [ $round -lt 9 ]; do
  while read -r one two rest; do
    note "${one%[aeiou]}"
    note "${two#?}"
    set -- $rest
    for word; do note "$word"; done
  done <data/lines
  round=$((round + 1))
done
echo "$count $longest"
