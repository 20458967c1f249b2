import torch
torch.manual_seed(0)
x=torch.randn(2,8,16,dtype=torch.bfloat16,requires_grad=True); w=(torch.randn(16,48)*.25).bfloat16().requires_grad_(); wo=(torch.randn(16,16)*.25).bfloat16().requires_grad_()
q,k,v=(x@w).chunk(3,-1)
sp=lambda t:t.view(2,8,4,4).transpose(1,2)
q,k,v=sp(q),sp(k),sp(v)
s=(q@k.mT)*0.5
s=s.masked_fill(torch.ones(8,8).triu(1).bool(),float('-inf'))
p=s.float().softmax(-1).bfloat16()
y=(p@v).transpose(1,2).reshape(2,8,16)@wo
g=torch.randn_like(y); y.backward(g)
print(float(y.sum()))
