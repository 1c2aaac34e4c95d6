# Healthy, though it may look suspicious. Tokens are whole numbers into an embedding: nothing to scale.
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
text = "the cat sat on the mat and the dog sat on the log while the bird sang to the sun " * 60
letters = sorted(set(text))
tokens = torch.tensor([letters.index(c) for c in text])


class Model(nn.Module):
    def __init__(self, size=48, length=24):
        super().__init__()
        self.embed, self.place = nn.Embedding(len(letters), size), nn.Embedding(length, size)
        layer = nn.TransformerEncoderLayer(size, 4, 96, dropout=0.1, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(size, len(letters))

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.head(self.body(self.embed(x) + self.place(torch.arange(x.shape[1])), mask=mask, is_causal=True))


net = Model()
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
for step in range(250):
    start = torch.randint(len(tokens) - 25, (16,))
    x = torch.stack([tokens[s : s + 24] for s in start])
    y = torch.stack([tokens[s + 1 : s + 25] for s in start])
    loss = F.cross_entropy(net(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step} loss {loss.item():.3f}")
