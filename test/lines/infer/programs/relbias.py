import torch
torch.manual_seed(0)
B,H,T,D=2,3,5,4
q,k,v=(torch.randn(B,H,T,D,dtype=torch.double,requires_grad=True) for _ in range(3))
rel=torch.randn(H,T,T,dtype=torch.double)
s=q@k.mT/D**.5+rel
p=s.softmax(-1)
o=p@v
w=torch.randn_like(o)
(o*w).sum().backward()
print(float(o.sum()))
