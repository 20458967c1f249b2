# Gradients by hand, called d_ and what the program calls its inputs, in one loop with autograd's.
import torch

torch.manual_seed(21)
asked, shelf, books = (torch.randn(*size).double().requires_grad_() for size in ((4, 5), (7, 5), (7, 3)))
wanted = torch.randn(4, 3).double()

z = asked @ shelf.t() / 5**0.5
p = torch.softmax(z, dim=1)
read = p @ books
loss = ((read - wanted) ** 2).sum() / 2
auto = torch.autograd.grad(loss, [asked, shelf, books])

with torch.no_grad():
    d_read = read - wanted
    d_books = p.t() @ d_read
    d_p = d_read @ books.t()
    d_z = p * (d_p - (d_p * p).sum(dim=1, keepdim=True))
    d_asked = d_z @ shelf / 5**0.5
    d_shelf = d_z.t() @ asked / 5**0.5

for mine, theirs in zip((d_asked, d_shelf, d_books), auto):
    print((mine - theirs).abs().max().item())
