"""Classes, dictionaries, strings and generators: what Python programs do."""


class Node:
    def __init__(self, key, left=None, right=None):
        self.key, self.left, self.right = key, left, right

    def walk(self):
        if self.left:
            yield from self.left.walk()
        yield self.key
        if self.right:
            yield from self.right.walk()


def insert(node, key):
    if node is None:
        return Node(key)
    if key < node.key:
        node.left = insert(node.left, key)
    elif key > node.key:
        node.right = insert(node.right, key)
    return node


seed, root, count = 1, None, {}
for _ in range(60000):
    seed = (seed * 1103515245 + 12345) % 2**31
    root = insert(root, seed % 5000)
    word = f"{seed:x}"[-3:]
    count[word] = count.get(word, 0) + 1
print(sum(i * key for i, key in enumerate(root.walk())), sorted(count.items(), key=lambda item: (-item[1], item[0]))[:3])
